"""Stuck workflow instances are detected by their states and histories."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dapr.ext.workflow import WorkflowHistoryEventType, WorkflowStatus

from services.orderprocessing.engine import stuck_detection
from services.orderprocessing.engine.stuck_detection import ResultTimeout, is_stuck, result_is_lost
from services.orderprocessing.workflows import policies

NOW = datetime(2026, 11, 21, 12)  # noqa: DTZ001 - as the SDK gives it


@dataclass(frozen=True)
class Event:
    """A history event as far as it matters here."""

    event_type: WorkflowHistoryEventType
    event_id: int = -1
    task_scheduled_id: int | None = None
    timestamp: datetime = NOW


def scheduled(number: int) -> Event:
    return Event(WorkflowHistoryEventType.TASK_SCHEDULED, event_id=number)


def result(number: int) -> Event:
    return Event(WorkflowHistoryEventType.TASK_COMPLETED, task_scheduled_id=number)


def timer(number: int) -> Event:
    return Event(WorkflowHistoryEventType.TIMER_CREATED, event_id=number)


STARTED = Event(WorkflowHistoryEventType.UNKNOWN)


FIRED = Event(WorkflowHistoryEventType.TIMER_FIRED)


@pytest.mark.parametrize(
    ("history", "stuck"),
    [
        ([], False),
        ([STARTED, scheduled(1)], False),
        ([STARTED, scheduled(1), STARTED, result(1), scheduled(2)], False),
        ([STARTED, scheduled(3), result(3), timer(4), STARTED, result(5), FIRED, scheduled(5)], True),
        ([STARTED, timer(4), result(5), FIRED, scheduled(5), STARTED, result(5), scheduled(6)], False),
        ([STARTED, timer(4), STARTED, result(5)], False),
        ([STARTED, timer(4), STARTED, result(5), FIRED], False),
        ([STARTED, scheduled(1), STARTED, result(1), result(2), scheduled(2), scheduled(3)], False),
        ([STARTED, result(1), result(2), scheduled(2), timer(3), STARTED, FIRED, scheduled(4)], False),
    ],
    ids=[
        "empty",
        "waiting",
        "in order",
        "result before the timer that caused it",
        "answered again",
        "timer to come",
        "cause to come",
        "filed late and taken",
        "filed late and taken long ago",
    ],
)
def test_only_a_result_recorded_before_the_timer_of_its_step_is_lost(history: list[Event], stuck: bool) -> None:
    assert result_is_lost(history, NOW.replace(tzinfo=UTC), MINIMUM) is stuck


@pytest.mark.parametrize(("seconds", "stuck"), [(-1, False), (1, True)])
def test_a_result_that_is_overdue_is_lost(seconds: int, stuck: bool) -> None:
    now = (NOW + MINIMUM + timedelta(seconds=seconds)).replace(tzinfo=UTC)
    history = [STARTED, scheduled(1), STARTED, result(1), timer(2), FIRED, scheduled(3)]
    assert result_is_lost(history, now, MINIMUM) is stuck
    assert not result_is_lost([*history, result(3)], now, MINIMUM)


MINIMUM = ResultTimeout().minimum


def at(event: Event, seconds: float) -> Event:
    return replace(event, timestamp=NOW + timedelta(seconds=seconds))


def after(seconds: float) -> datetime:
    return (NOW + timedelta(seconds=seconds)).replace(tzinfo=UTC)


def test_the_result_timeout_grows_while_activities_wait_in_a_long_queue() -> None:
    timeout = ResultTimeout()
    assert timeout.observe([STARTED, scheduled(1), at(result(1), 8)], after(9)) == MINIMUM
    assert timeout.observe([STARTED, scheduled(1), at(result(1), 30)], after(31)) == timedelta(seconds=60)
    assert timeout.observe([STARTED, at(scheduled(2), 31)], after(60)) == timedelta(seconds=60)


def test_a_queue_that_was_long_once_is_forgotten() -> None:
    timeout = ResultTimeout()
    timeout.observe([STARTED, scheduled(1), at(result(1), 30)], after(31))
    assert timeout.observe([], after(92)) == MINIMUM
    assert timeout.observe([STARTED, scheduled(1), at(result(1), 30)], after(95)) == MINIMUM


def test_a_child_that_runs_for_hours_says_nothing_of_the_queue() -> None:
    child = Event(WorkflowHistoryEventType.CHILD_WORKFLOW_INSTANCE_CREATED, event_id=1)
    assert ResultTimeout().observe([STARTED, child, at(result(1), 3600)], after(3601)) == MINIMUM


def test_a_longer_result_timeout_keeps_a_waiting_activity_from_being_lost() -> None:
    assert result_is_lost([STARTED, scheduled(1)], after(50), MINIMUM)
    assert not result_is_lost([STARTED, scheduled(1)], after(50), timedelta(seconds=60))


def test_a_workflow_may_wait_for_a_child_or_an_event_without_limit() -> None:
    child = Event(WorkflowHistoryEventType.CHILD_WORKFLOW_INSTANCE_CREATED, event_id=1)
    assert not result_is_lost([STARTED, child, timer(2)], (NOW + timedelta(days=1)).replace(tzinfo=UTC), MINIMUM)


def test_the_longer_a_call_may_take_the_later_a_result_is_believed_lost() -> None:
    least = ResultTimeout(policies.longest_try(call_timeout=60)).minimum
    assert least > timedelta(seconds=180)
    assert not result_is_lost([STARTED, scheduled(1)], after(179), least)


@dataclass(frozen=True)
class State:
    """The state of an instance as far as it matters here."""

    runtime_status: WorkflowStatus
    created_at: datetime = NOW
    last_updated_at: datetime = NOW


@dataclass
class Engine:
    """Instances with their states and histories."""

    states: dict[str, State]
    histories: dict[str, list[Event]] = field(default_factory=dict)

    def state(self, instance: str) -> Any:
        return self.states.get(instance)

    def history(self, instance: str) -> list[Event]:
        return self.histories.get(instance, [])


OWN, CHILD = "order-A1", "charge-A1-1"


CREATED = Event(WorkflowHistoryEventType.CHILD_WORKFLOW_INSTANCE_CREATED, event_id=1)


ENDED = Event(WorkflowHistoryEventType.CHILD_WORKFLOW_INSTANCE_COMPLETED, task_scheduled_id=1)


FAILED = Event(WorkflowHistoryEventType.TASK_FAILED, task_scheduled_id=1)


RUNNING, COMPLETED = State(WorkflowStatus.RUNNING), State(WorkflowStatus.COMPLETED)


SOON, LATE = MINIMUM.total_seconds() - 1, MINIMUM.total_seconds() + 1


def stuck(engine: Engine, seconds: float) -> bool:
    return is_stuck(engine, OWN, [CHILD], ResultTimeout(), after(seconds))


def test_an_instance_that_does_not_begin_is_stuck() -> None:
    pending = Engine({OWN: State(WorkflowStatus.PENDING)})
    assert not stuck(pending, SOON)
    assert stuck(pending, LATE)


def test_a_workflow_that_is_not_notified_of_the_end_of_its_child_is_stuck() -> None:
    untold = Engine({OWN: RUNNING, CHILD: COMPLETED}, {OWN: [STARTED, CREATED]})
    assert not stuck(untold, SOON)
    assert stuck(untold, LATE)


def test_a_workflow_whose_child_was_never_made_is_stuck() -> None:
    assert stuck(Engine({OWN: RUNNING}, {OWN: [STARTED, CREATED]}), LATE)


@pytest.mark.parametrize(
    "engine",
    [
        Engine({OWN: RUNNING, CHILD: RUNNING}, {OWN: [STARTED, CREATED]}),
        Engine({OWN: RUNNING, CHILD: State(WorkflowStatus.COMPLETED, NOW, NOW + timedelta(seconds=LATE))}),
        Engine({OWN: RUNNING, CHILD: COMPLETED}, {OWN: [STARTED, CREATED, ENDED]}),
        Engine({OWN: COMPLETED, CHILD: COMPLETED}, {OWN: [STARTED, CREATED]}),
        Engine({}),
    ],
    ids=["its child runs", "its child has just ended", "it was told", "it has ended", "it is not there"],
)
def test_a_workflow_that_may_still_be_notified_is_not_stuck(engine: Engine) -> None:
    assert not stuck(engine, LATE)


def test_a_workflow_whose_retry_is_overdue_is_stuck() -> None:
    history = [STARTED, scheduled(1), STARTED, FAILED, timer(2)]
    retried_by = LATE + stuck_detection._LONGEST_RETRY_PAUSE.total_seconds()
    assert not result_is_lost(history, after(retried_by - 2), MINIMUM)
    assert result_is_lost(history, after(retried_by), MINIMUM)
    assert not result_is_lost([*history, FIRED, at(scheduled(3), retried_by)], after(retried_by), MINIMUM)
    assert not result_is_lost([STARTED, scheduled(1), STARTED, result(1), timer(2)], after(retried_by), MINIMUM)


def test_a_workflow_with_a_long_history_is_recovered_before_the_engine_stalls_it() -> None:
    tries = [
        event for number in range(0, stuck_detection.MAX_EVENTS, 2) for event in (scheduled(number), result(number))
    ]
    assert not stuck(Engine({OWN: RUNNING}, {OWN: tries}), SOON)
    assert stuck(Engine({OWN: RUNNING}, {OWN: [STARTED, *tries]}), SOON)


@pytest.mark.parametrize(
    "history",
    [[STARTED, scheduled(1)], [STARTED, CREATED], [STARTED, scheduled(1), STARTED, FAILED, timer(2)]],
    ids=["waits for a result", "waits for a child", "waits for a retry"],
)
def test_a_workflow_that_waits_since_before_the_clock_was_set_back_is_stuck(history: list[Event]) -> None:
    waiting = Engine({OWN: RUNNING, CHILD: COMPLETED}, {OWN: history})
    assert not stuck(waiting, -5)  # the clocks of two machines may differ
    assert stuck(waiting, -3600)


def test_an_instance_that_was_created_before_the_clock_was_set_back_and_does_not_begin_is_stuck() -> None:
    assert stuck(Engine({OWN: State(WorkflowStatus.PENDING)}), -3600)


def test_a_queue_that_was_long_before_the_clock_was_set_back_is_forgotten() -> None:
    timeout = ResultTimeout()
    assert timeout.observe([scheduled(1), at(result(1), 300)], after(300)) == timedelta(seconds=600)
    assert timeout.observe([], after(-3600)) == timeout.minimum
