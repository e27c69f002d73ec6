"""Detects from the engine's state and history whether a workflow instance is stuck.

There are two causes. First, Dapr 1.18 dispatches the activities of a step before it saves the step. If the save fails,
because the store or the sidecar dies at that moment, and a timer had caused the step, then the activity's result is
recorded before its cause. The workflow never consumes it, and the activity never runs again. Second, jobs of the
scheduler may be lost. Then an instance never starts, an activity never runs, a retry never fires, or a parent is never
notified that its child ended. Neither an event nor the restart of a process helps such an instance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, Self

from dapr.ext.workflow import WorkflowHistoryEventType, WorkflowState, WorkflowStatus

from services.common.logs import get_logger
from services.orderprocessing.workflows.policies import DEFAULT_LONGEST_TRY, UNTIL_DONE

log = get_logger(__name__)

_MARGIN = timedelta(seconds=5)
_CLOCK_SKEW = timedelta(seconds=10)
"""A time later than now by more than this shows that the clock was set back. Such an event counts as long ago."""
MAX_EVENTS = 2_000
"""The engine stalls an instance whose history exceeds 4 MiB. A history of this length is far below that limit, and its
workflow is restarted. Each try of a failing step adds about four events, so that takes about eight hours."""
_LONGEST_RETRY_PAUSE = UNTIL_DONE.max_retry_interval or timedelta()
_RECENT = timedelta(minutes=1)
ACTIVE = {WorkflowStatus.PENDING, WorkflowStatus.RUNNING, WorkflowStatus.SUSPENDED, WorkflowStatus.STALLED}
_ENDS_OF_CHILDREN = {
    WorkflowHistoryEventType.CHILD_WORKFLOW_INSTANCE_COMPLETED,
    WorkflowHistoryEventType.CHILD_WORKFLOW_INSTANCE_FAILED,
}


class HistoryEvent(Protocol):
    """An event of a workflow's history, as the SDK returns it."""

    @property
    def event_type(self) -> WorkflowHistoryEventType:
        """The type of the event."""

    @property
    def timestamp(self) -> datetime:
        """The time in UTC, without a time zone."""

    @property
    def event_id(self) -> int:
        """The number of the scheduled task; negative for other events."""

    @property
    def task_scheduled_id(self) -> int | None:
        """Of a result: the number of its task."""


class Instances(Protocol):
    """The engine's queries about workflow instances. They raise TransientError."""

    def state(self, instance: str) -> WorkflowState | None:
        """Return the state of an instance, None when it does not exist."""

    def history(self, instance: str) -> Sequence[HistoryEvent]:
        """Return the history of an instance, empty when it does not exist."""


@dataclass(frozen=True)
class _Recent:
    """The times that count as recent, in UTC without a time zone."""

    first: datetime
    last: datetime

    @classmethod
    def since(cls, now: datetime, age: timedelta) -> Self:
        """Return the times of the last `age`."""
        now = now.replace(tzinfo=None)
        return cls(now - age, now + _CLOCK_SKEW)

    def __contains__(self, moment: datetime) -> bool:
        """Return whether a time is recent."""
        return self.first <= moment <= self.last


class ResultTimeout:
    """How long an activity may take before its result is considered lost; longer while activities wait in a long queue.

    Threads may share it: a race at worst loses one observation.
    """

    def __init__(self, longest_try: float = DEFAULT_LONGEST_TRY) -> None:
        """`longest_try` is the number of seconds after which a running activity has succeeded or failed."""
        self.minimum = timedelta(seconds=longest_try) + _MARGIN
        self._observed: tuple[timedelta, datetime] | None = None

    def observe(self, history: Sequence[HistoryEvent], now: datetime) -> timedelta:
        """Return the current timeout, updated by the durations of the recent activities in a history."""
        durations = (duration for duration, at in _durations(history) if abs(now - at) < _RECENT)
        longest = max(durations, default=timedelta())
        if self._observed is None or longest >= self._observed[0] or abs(now - self._observed[1]) >= _RECENT:
            self._observed = (longest, now)
        return max(self.minimum, 2 * self._observed[0])


def _durations(history: Sequence[HistoryEvent]) -> Iterator[tuple[timedelta, datetime]]:
    scheduled = {event.event_id: event.timestamp for event in history if _is_activity(event)}
    for event in history:
        began = scheduled.get(event.task_scheduled_id) if event.task_scheduled_id is not None else None
        if began is not None:
            yield event.timestamp - began, event.timestamp.replace(tzinfo=UTC)


def is_stuck(
    instances: Instances, instance: str, children: Sequence[str], result_timeout: ResultTimeout, now: datetime
) -> bool:
    """Return whether an instance is stuck, or its history too long.

    A stuck instance waits for its start, for a result, or for the end of one of its `children`, and that will not come.
    Raises TransientError.
    """
    state = instances.state(instance)
    if state is None or state.runtime_status not in ACTIVE:
        return False
    if state.runtime_status is WorkflowStatus.STALLED:
        # The engine neither terminates nor restarts such an instance. It continues once all workers of its sidecar were
        # disconnected at the same moment (docs/upstream/stalled-until-all-disconnect.md).
        log.warning(
            "a workflow is stalled: a worker without its version or patch took it; update all workers, "
            "then restart the sidecar",
            extra={"instance": instance},
        )
        return False
    history = instances.history(instance)
    timeout = result_timeout.observe(history, now)
    recent = _Recent.since(now, timeout)
    if state.runtime_status is WorkflowStatus.PENDING:
        return state.created_at not in recent
    if len(history) > MAX_EVENTS or result_is_lost(history, now, timeout):
        return True
    return _waits_for_children(history, recent) and all(
        _ended_before(instances.state(child), recent) for child in children
    )


def _ended_before(state: WorkflowState | None, recent: _Recent) -> bool:
    return state is None or (state.runtime_status not in ACTIVE and state.last_updated_at not in recent)


def result_is_lost(history: Sequence[HistoryEvent], now: datetime, result_timeout: timedelta) -> bool:
    """Return whether a history shows an activity whose result was recorded too early to be consumed, or was dropped.

    The first shows as a result, then the timer that caused the activity, then the activity; the second as no result for
    longer than `result_timeout`. A result that only precedes its activity was consumed: the engine records what a step
    scheduled after all the events that the step consumed.
    """
    scheduled: dict[int, HistoryEvent] = {}
    early: set[int] = set()
    unconsumed: set[int] = set()
    done: set[int] = set()
    for event in history:
        if event.event_type is WorkflowHistoryEventType.TIMER_FIRED:
            unconsumed |= early
        elif event.task_scheduled_id is not None:
            done.add(event.task_scheduled_id)
            if event.task_scheduled_id in scheduled:
                unconsumed.discard(event.task_scheduled_id)
            else:
                early.add(event.task_scheduled_id)
        elif event.event_id >= 0:
            scheduled[event.event_id] = event
            early.discard(event.event_id)
    if unconsumed & scheduled.keys():
        return True
    recent = _Recent.since(now, result_timeout)
    pending = [event for number, event in scheduled.items() if number not in done and _is_activity(event)]
    overdue = _retry_is_overdue(history, _Recent.since(now, result_timeout + _LONGEST_RETRY_PAUSE))
    return any(event.timestamp not in recent for event in pending) or overdue


def _retry_is_overdue(history: Sequence[HistoryEvent], recent: _Recent) -> bool:
    """Return whether the last event is a failure whose retry timer was set long ago."""
    last = history[-1] if history else None
    if last is None or last.event_type is not WorkflowHistoryEventType.TIMER_CREATED:
        return False
    previous = next(
        event for event in (*history[::-1], None) if event is None or event.event_type is not last.event_type
    )
    failed = previous is not None and previous.event_type is WorkflowHistoryEventType.TASK_FAILED
    return failed and last.timestamp not in recent


def _waits_for_children(history: Sequence[HistoryEvent], recent: _Recent) -> bool:
    """Return whether a workflow waits for children, none of which it started recently."""
    ended = {event.task_scheduled_id for event in history if event.event_type in _ENDS_OF_CHILDREN}
    created = [
        event for event in history if event.event_type is WorkflowHistoryEventType.CHILD_WORKFLOW_INSTANCE_CREATED
    ]
    pending = [event for event in created if event.event_id not in ended]
    return bool(pending) and all(event.timestamp not in recent for event in pending)


def _is_activity(event: HistoryEvent) -> bool:
    return event.event_type is WorkflowHistoryEventType.TASK_SCHEDULED
