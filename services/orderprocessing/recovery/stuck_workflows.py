"""Restarts workflows that are stuck or gone, from the order's record."""

from collections.abc import Callable
from datetime import datetime, timedelta

from services.orderprocessing.domain.order import Order

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=10)
"""Between two looks at the same order, so that those that stand for another reason do not keep it from the rest."""
_MOST_AT_ONCE = 50
"""Histories are long: of a backlog that stands still, only some are read in each round."""


class StuckWorkflowRecovery:
    """Looks at orders that stand still, the longer they do the more rarely.

    `mend` starts an order's workflow that does not run and ends one that waits for ever, and tells whether it did; it
    raises TransientError.
    """

    def __init__(self, mend: Callable[[Order], bool]) -> None:
        self._mend = mend
        self._looked: dict[str, tuple[datetime, timedelta]] = {}
        self._left = 0

    def begin(self, now: datetime) -> None:
        """Begin a round."""
        self._left = _MOST_AT_ONCE
        self._looked = {one: (until, pause) for one, (until, pause) in self._looked.items() if now < until + pause}

    def heal(self, order: Order, now: datetime) -> bool:
        """Do the next thing for an order that stands still; tell whether there was something to do.

        What is ended in one round is started in a later one, so that what still ran for it does not meet the new one.
        """
        until, pause = self._looked.get(order.id, (now, _FIRST_PAUSE / 2))
        if self._left <= 0 or now < until:
            return False
        self._left -= 1
        if self._mend(order):
            self._looked.pop(order.id, None)
            return True
        pause = min(2 * pause, _LONGEST_PAUSE)
        self._looked[order.id] = (now + pause, pause)
        return False
