"""Tells from the engine's state and history whether a workflow instance is stuck.

There are two causes. Dapr 1.18 starts the activities of a step before it has saved the step. When the saving fails, as
the store or the sidecar dies just then, and it was a timer that had caused the step, the activity's result comes before
its cause: it is filed where nobody takes it, or thrown away, and the activity is never run again. And the scheduler's
jobs may be lost: then an instance never begins, an activity never runs, a retry never comes, or a parent is never told
that its child ended. No restart of a process and no event helps such an instance.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from dapr.ext.workflow import WorkflowHistoryEventType, WorkflowState, WorkflowStatus

from services.orderprocessing.workflows.policies import DEFAULT_LONGEST_TRY, UNTIL_DONE

_MARGIN = timedelta(seconds=5)
MAX_EVENTS = 2_000
"""The engine stalls an instance whose history passes 4 MiB. One as long as this is far below, and is restarted: every
try of a step that keeps failing adds some four events, so it has failed for about eight hours."""
_LONGEST_RETRY_PAUSE = UNTIL_DONE.max_retry_interval or timedelta()
_LATELY = timedelta(minutes=1)
UNDER_WAY = {WorkflowStatus.PENDING, WorkflowStatus.RUNNING, WorkflowStatus.SUSPENDED}
_ENDS_OF_CHILDREN = {
    WorkflowHistoryEventType.CHILD_WORKFLOW_INSTANCE_COMPLETED,
    WorkflowHistoryEventType.CHILD_WORKFLOW_INSTANCE_FAILED,
}


class HistoryEvent(Protocol):
    """An event of a workflow's history, as the SDK gives it."""

    @property
    def event_type(self) -> WorkflowHistoryEventType:
        """What happened."""

    @property
    def timestamp(self) -> datetime:
        """When, in UTC without saying so."""

    @property
    def event_id(self) -> int:
        """The number of what was scheduled."""

    @property
    def task_scheduled_id(self) -> int | None:
        """Of a result: the number of what it is the result of."""


class Instances(Protocol):
    """The engine, asked about workflow instances. Its methods raise TransientError."""

    def state(self, instance: str) -> WorkflowState | None:
        """Return the state of an instance, None when it is not there."""

    def history(self, instance: str) -> Sequence[HistoryEvent]:
        """Return the history of an instance, empty when it is not there."""


class ResultTimeout:
    """How long an activity may take before its result is believed lost: longer where activities wait in a long queue.

    Threads may share it: the worst that a race does is to forget one observation.
    """

    def __init__(self, longest_try: float = DEFAULT_LONGEST_TRY) -> None:
        """`longest_try` is the seconds after which an activity that runs has a result, if only that it failed."""
        self.least = timedelta(seconds=longest_try) + _MARGIN
        self._seen: tuple[timedelta, datetime] | None = None

    def learn(self, history: Sequence[HistoryEvent], now: datetime) -> timedelta:
        """Return the timeout for now, after a look at how long the activities of a history took lately."""
        longest = max((took for took, at in _took(history) if now - at < _LATELY), default=timedelta())
        if self._seen is None or longest >= self._seen[0] or now - self._seen[1] >= _LATELY:
            self._seen = (longest, now)
        return max(self.least, 2 * self._seen[0])


def _took(history: Sequence[HistoryEvent]) -> Iterator[tuple[timedelta, datetime]]:
    scheduled = {event.event_id: event.timestamp for event in history if _is_activity(event)}
    for event in history:
        began = scheduled.get(event.task_scheduled_id) if event.task_scheduled_id is not None else None
        if began is not None:
            yield event.timestamp - began, event.timestamp.replace(tzinfo=UTC)


def is_stuck(
    instances: Instances, instance: str, children: Sequence[str], result_timeout: ResultTimeout, now: datetime
) -> bool:
    """Tell whether an instance waits for what will never come, or has a history that has grown too long.

    It may wait for its start, for a result, or for the end of one of its `children`. Raises TransientError.
    """
    state = instances.state(instance)
    if state is None or state.runtime_status not in UNDER_WAY:
        return False
    history = instances.history(instance)
    wait = result_timeout.learn(history, now)
    limit = now.replace(tzinfo=None) - wait
    if state.runtime_status is WorkflowStatus.PENDING:
        return bool(state.created_at < limit)
    if len(history) > MAX_EVENTS or result_is_lost(history, now, wait):
        return True
    return _waits_for_children(history, limit) and all(_ended_before(instances.state(one), limit) for one in children)


def _ended_before(state: WorkflowState | None, limit: datetime) -> bool:
    return state is None or bool(state.runtime_status not in UNDER_WAY and state.last_updated_at < limit)


def result_is_lost(history: Sequence[HistoryEvent], now: datetime, result_timeout: timedelta) -> bool:
    """Tell whether a history shows an activity whose result was filed where nobody takes it, or was thrown away.

    That is: a result, then the timer that caused what it is the result of, then that; or no result for longer than
    `result_timeout`. A result that merely stands before what it is the result of was taken all the same: the engine
    files what a step has scheduled behind all that had woken the step.
    """
    scheduled: dict[int, HistoryEvent] = {}
    early: set[int] = set()
    passed_over: set[int] = set()
    done: set[int] = set()
    for event in history:
        if event.event_type is WorkflowHistoryEventType.TIMER_FIRED:
            passed_over |= early
        elif event.task_scheduled_id is not None:
            done.add(event.task_scheduled_id)
            if event.task_scheduled_id in scheduled:
                passed_over.discard(event.task_scheduled_id)
            else:
                early.add(event.task_scheduled_id)
        elif event.event_id >= 0:
            scheduled[event.event_id] = event
            early.discard(event.event_id)
    if passed_over & scheduled.keys():
        return True
    limit = now.replace(tzinfo=None) - result_timeout
    waited_for = [one for number, one in scheduled.items() if number not in done and _is_activity(one)]
    return any(one.timestamp < limit for one in waited_for) or _retry_is_overdue(history, limit)


def _retry_is_overdue(history: Sequence[HistoryEvent], limit: datetime) -> bool:
    """Tell whether the last that happened is a failure, and that the timer for another try was set long ago."""
    last = history[-1] if history else None
    if last is None or last.event_type is not WorkflowHistoryEventType.TIMER_CREATED:
        return False
    before = next(one for one in (*history[::-1], None) if one is None or one.event_type is not last.event_type)
    failed = before is not None and before.event_type is WorkflowHistoryEventType.TASK_FAILED
    return failed and last.timestamp < limit - _LONGEST_RETRY_PAUSE


def _waits_for_children(history: Sequence[HistoryEvent], limit: datetime) -> bool:
    """Tell whether a workflow waits for children, all of which it started before `limit`."""
    ended = {event.task_scheduled_id for event in history if event.event_type in _ENDS_OF_CHILDREN}
    created = [
        event for event in history if event.event_type is WorkflowHistoryEventType.CHILD_WORKFLOW_INSTANCE_CREATED
    ]
    waited_for = [event for event in created if event.event_id not in ended]
    return bool(waited_for) and all(event.timestamp < limit for event in waited_for)


def _is_activity(event: HistoryEvent) -> bool:
    return event.event_type is WorkflowHistoryEventType.TASK_SCHEDULED
