"""Restarts workflows that are stuck or missing, from the order's record."""

from collections.abc import Callable
from datetime import datetime, timedelta

from services.orderprocessing.domain.order import Order

_FIRST_PAUSE, _MAX_PAUSE = timedelta(seconds=5), timedelta(minutes=10)
"""Between two checks of the same order, so that orders that wait for another reason do not delay the rest."""
_CHECKS_PER_SCAN = 50
"""Histories are long, so a scan of a stalled backlog reads only some of them."""


class StuckWorkflowRecovery:
    """Checks the workflows of orders that make no progress, with growing pauses between checks of the same order.

    `recover` starts a missing workflow or terminates a stuck one, and returns whether it did either. It raises
    TransientError.
    """

    def __init__(self, recover: Callable[[Order], bool]) -> None:
        self._recover = recover
        self._next_checks: dict[str, tuple[datetime, timedelta]] = {}
        self._remaining_checks = 0

    def begin_scan(self, now: datetime) -> None:
        """Start a scan: reset the number of checks, and forget orders that were not checked for a long time."""
        self._remaining_checks = _CHECKS_PER_SCAN
        self._next_checks = {
            # A check that is due later than its pause allows was planned before the clock was set back.
            order_id: (due, pause)
            for order_id, (due, pause) in self._next_checks.items()
            if now < due + pause and due <= now + pause
        }

    def check(self, order: Order, now: datetime) -> bool:
        """Recover the order's workflow if it is stuck or missing and a check is due; return whether it was recovered.

        One scan terminates a stuck workflow and a later one starts it again, so that activities of the old run do not
        overlap with the new run.
        """
        due, pause = self._next_checks.get(order.id, (now, _FIRST_PAUSE / 2))
        if self._remaining_checks <= 0 or now < due:
            return False
        self._remaining_checks -= 1
        if self._recover(order):
            self._next_checks.pop(order.id, None)
            return True
        pause = min(2 * pause, _MAX_PAUSE)
        self._next_checks[order.id] = (now + pause, pause)
        return False
