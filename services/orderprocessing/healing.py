"""Finds workflows that wait for what will never come, ends them, and starts them anew from the order's record.

Dapr 1.18 starts the activities of a step before it has saved the step. When the saving fails, as the store or the
sidecar dies just then, and it was a timer that had caused the step, the activity's result is filed before its cause:
nobody takes it, and the activity is never run again. No restart of a process and no event helps such an instance.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from dapr.ext.workflow import WorkflowHistoryEventType

from services.orderprocessing.models import Order

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=15), timedelta(minutes=10)
"""Between two looks at the same order, so that those that stand for another reason do not keep it from the rest."""
_MOST_AT_ONCE = 50
"""Histories are long: of a backlog that stands still, only some are read in each round."""


class HistoryEvent(Protocol):
    """An event of a workflow's history, as the SDK gives it."""

    @property
    def event_type(self) -> WorkflowHistoryEventType:
        """What happened."""

    @property
    def event_id(self) -> int:
        """The number of what was scheduled."""

    @property
    def task_scheduled_id(self) -> int | None:
        """Of a result: the number of what it is the result of."""


def waits_for_ever(history: Sequence[HistoryEvent]) -> bool:
    """Tell whether a history has a result, then the timer that caused what it is the result of, then that.

    A result that merely stands before what it is the result of was taken all the same: the engine files what a step
    has scheduled behind all that had woken the step.
    """
    scheduled: set[int] = set()
    early: set[int] = set()
    passed_over: set[int] = set()
    for event in history:
        if event.event_type is WorkflowHistoryEventType.TIMER_FIRED:
            passed_over |= early
        elif event.task_scheduled_id is not None and event.task_scheduled_id not in scheduled:
            early.add(event.task_scheduled_id)
        elif event.task_scheduled_id is not None:
            passed_over.discard(event.task_scheduled_id)
        elif event.event_id >= 0:
            scheduled.add(event.event_id)
            early.discard(event.event_id)
    return bool(passed_over & scheduled)


class Healer:
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
