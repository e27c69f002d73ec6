"""Finds workflows that wait for what will never come, ends them, and starts them anew from the order's record.

Dapr 1.18 starts the activities of a step before it has saved the step. When the saving fails, as the store or the
sidecar dies just then, and it was a timer that had caused the step, the activity's result is filed before its cause:
nobody takes it, and the activity is never run again. No restart of a process and no event helps such an instance.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from services.common.logs import get_logger
from services.orderprocessing.models import Order

log = get_logger(__name__)

_AGAIN_AFTER = timedelta(seconds=15)
_MOST_AT_ONCE = 50
"""Histories are long: of a backlog that stands still, only some are read in each round."""


class HistoryEvent(Protocol):
    """An event of a workflow's history, as the SDK gives it."""

    @property
    def event_id(self) -> int:
        """The number of what was scheduled."""

    @property
    def task_scheduled_id(self) -> int | None:
        """Of a result: the number of what it is the result of."""


def waits_for_ever(history: Sequence[HistoryEvent]) -> bool:
    """Tell whether a history has a result that stands before what it is the result of, which nobody will take."""
    scheduled: set[int] = set()
    early: set[int] = set()
    for event in history:
        if event.task_scheduled_id is not None and event.task_scheduled_id not in scheduled:
            early.add(event.task_scheduled_id)
        elif event.task_scheduled_id is not None:
            early.discard(event.task_scheduled_id)
        elif event.event_id >= 0:
            scheduled.add(event.event_id)
    return bool(early & scheduled)


class Healer:
    """Looks at orders that stand still; remembers which it has looked at, and which it has ended.

    `end_if_stuck` ends the workflows of an order if one of them waits for ever, and tells whether; `restart` starts
    an order's workflow. Both raise TransientError.
    """

    def __init__(self, end_if_stuck: Callable[[Order], bool], restart: Callable[[Order], object]) -> None:
        self._end_if_stuck, self._restart = end_if_stuck, restart
        self._looked: dict[str, datetime] = {}
        self._ended: set[str] = set()
        self._left = 0

    def begin(self, now: datetime) -> None:
        """Begin a round."""
        self._left = _MOST_AT_ONCE
        self._looked = {order_id: at for order_id, at in self._looked.items() if now - at < _AGAIN_AFTER}

    def heal(self, order: Order, now: datetime) -> bool:
        """Do the next thing for an order that stands still; tell whether there was something to do.

        Ending and starting are a round apart, so that what still ran for the old workflow does not meet the new one.
        """
        if order.id in self._ended:
            self._restart(order)
            self._ended.discard(order.id)
            return True
        if self._left <= 0 or order.id in self._looked:
            return False
        self._left -= 1
        self._looked[order.id] = now
        if not self._end_if_stuck(order):
            return False
        log.warning("a workflow waits for what will never come, it is ended and starts anew")
        self._ended.add(order.id)
        return True
