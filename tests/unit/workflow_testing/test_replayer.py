"""The replayer: each change of a workflow is found at the event where it matters, and harmless ones are not."""

from datetime import timedelta
from typing import Any

import pytest
from dapr.ext.workflow import DaprWorkflowContext, when_all

from tests.unit.workflow_testing.changes import (
    child,
    difference_of,
    found,
    pausing,
    recorded,
    two_steps,
    waiting,
    with_child,
)
from workflow_testing import History, Kind, WorkflowTester, replay
from workflow_testing.examples import trip
from workflow_testing.sdk import events, pb

LISBON = {"city": "Lisbon"}


def test_unchanged_workflows_replay() -> None:
    for workflow in (two_steps, pausing, with_child):
        assert difference_of(recorded(workflow), workflow, compare_inputs=True) is None
    assert difference_of(recorded(waiting, "go"), waiting, compare_inputs=True) is None


def test_another_activity_is_found_at_the_event_that_scheduled_it() -> None:
    def changed(ctx: DaprWorkflowContext, _given: Any) -> Any:
        first = yield ctx.call_activity("a", input=1)
        yield ctx.call_activity("c", input=2)
        return first

    history = recorded(two_steps)
    assert found(history, changed) == (Kind.OTHER_ACTIVITY, 6, "taskScheduled")
    assert str(difference_of(history, changed)) == (
        "event 6: other activity. The record has activity 'b' (#2, input 2). "
        "The code asks for activity 'c' (#2, input 2)."
    )


def test_a_step_that_was_added_before_others_is_found() -> None:
    def changed(ctx: DaprWorkflowContext, given: Any) -> Any:
        yield ctx.call_activity("c")
        return (yield from two_steps(ctx, given))

    assert found(recorded(two_steps), changed) == (Kind.OTHER_ACTIVITY, 3, "taskScheduled")


def test_reordered_steps_are_found() -> None:
    def changed(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.call_activity("b", input=2)
        return (yield ctx.call_activity("a", input=1))

    assert found(recorded(two_steps), changed)[:2] == (Kind.OTHER_ACTIVITY, 3)


def test_a_timer_in_place_of_an_activity_is_found() -> None:
    def changed(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.create_timer(timedelta(seconds=1))

    assert found(recorded(two_steps), changed) == (Kind.OTHER_ACTION, 3, "taskScheduled")


def test_another_input_is_found_only_where_inputs_are_compared() -> None:
    def changed(ctx: DaprWorkflowContext, _given: Any) -> Any:
        first = yield ctx.call_activity("a", input=1)
        yield ctx.call_activity("b", input=3)
        return first

    history = recorded(two_steps)
    assert difference_of(history, changed) is None
    assert found(history, changed, compare_inputs=True) == (Kind.OTHER_INPUT, 6, "taskScheduled")


def test_another_input_of_a_child_is_found() -> None:
    def changed(ctx: DaprWorkflowContext, _given: Any) -> Any:
        return (yield ctx.call_child_workflow("child", input=2, instance_id="one-child"))

    assert difference_of(recorded(with_child), changed) is None
    assert found(recorded(with_child), changed, compare_inputs=True)[0] == Kind.OTHER_INPUT


def test_an_action_that_the_code_no_longer_asks_for_is_found() -> None:
    def parallel(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield when_all([ctx.call_activity("a"), ctx.call_activity("b")])

    def changed(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.call_activity("a")

    assert found(recorded(parallel), changed) == (Kind.MISSING_ACTION, 4, "taskScheduled")


def test_a_code_that_waits_for_an_event_in_place_of_an_action_is_found_and_names_the_event() -> None:
    def changed(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.call_activity("a", input=1)
        yield ctx.wait_for_external_event("approved")

    difference = difference_of(recorded(two_steps), changed)
    assert difference is not None
    assert (difference.kind, difference.number) == (Kind.MISSING_ACTION, 6)
    assert difference.asked == "nothing, and waits for 'approved'"


def test_an_additional_parallel_action_is_found_where_its_turn_ends() -> None:
    def changed(ctx: DaprWorkflowContext, _given: Any) -> Any:
        first, _ = yield when_all([ctx.call_activity("a", input=1), ctx.call_activity("c")])
        yield ctx.call_activity("b", input=2)
        return first

    assert found(recorded(two_steps), changed) == (Kind.ADDITIONAL_ACTION, 4, "workflowStarted")


def test_an_additional_last_action_is_found_at_the_end() -> None:
    def changed(ctx: DaprWorkflowContext, given: Any) -> Any:
        result = yield from two_steps(ctx, given)
        yield ctx.call_activity("c")
        return result

    history = recorded(two_steps)
    assert found(history, changed) == (Kind.OTHER_END, len(history.events), "executionCompleted")
    assert "asks for activity 'c'" in str(difference_of(history, changed))


def test_an_additional_action_of_a_running_instance_is_found_after_its_last_event() -> None:
    def run(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.wait_for_external_event("go")

    def changed(ctx: DaprWorkflowContext, _given: Any) -> Any:
        ctx.call_activity("a")
        yield ctx.wait_for_external_event("go")

    history = recorded(run)
    assert difference_of(history, run) is None
    # The executor accepts a wait without a timeout that moved, so only the activity is a difference.
    difference = difference_of(history, changed)
    assert difference is not None
    assert (difference.kind, difference.number) == (Kind.ADDITIONAL_ACTION, len(history.events))
    assert difference.recorded == "nothing after this event"


@pytest.mark.parametrize("seconds", [4, 6])
def test_another_duration_of_a_timer_is_found(seconds: int) -> None:
    def changed(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.create_timer(timedelta(seconds=seconds))
        return 1

    assert found(recorded(pausing), changed) == (Kind.OTHER_TIMER, 3, "timerCreated")


def test_a_wait_for_another_event_is_found() -> None:
    def changed(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.wait_for_external_event("come", timeout=timedelta(seconds=5))
        return 1

    history = recorded(waiting, "go")
    assert found(history, changed) == (Kind.OTHER_TIMER, 3, "timerCreated")
    for event in history.events:
        event.timerCreated.ClearField("origin") if event.HasField("timerCreated") else None
    # An older sidecar records no reason: the wait is found where the workflow should have ended.
    assert found(history, changed)[0] == Kind.OTHER_END


def test_a_wait_for_another_event_without_a_timeout_is_found() -> None:
    def run(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.wait_for_external_event("go")

    def changed(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.wait_for_external_event("come")

    assert found(recorded(run, "go"), changed)[:2] == (Kind.OTHER_TIMER, 3)


@pytest.mark.parametrize(("name", "instance"), [("workflow", "one-child"), ("child", "another")])
def test_another_child_workflow_is_found(name: str, instance: str) -> None:
    def changed(ctx: DaprWorkflowContext, _given: Any) -> Any:
        return (yield ctx.call_child_workflow(name, input=1, instance_id=instance))

    assert found(recorded(with_child), changed) == (Kind.OTHER_CHILD, 3, "childWorkflowInstanceCreated")


def test_a_workflow_that_is_not_registered_is_found_at_its_start() -> None:
    difference = replay(recorded(two_steps), [child])
    assert difference is not None
    assert (difference.kind, difference.number) == (Kind.UNKNOWN_WORKFLOW, 2)
    versions = {"workflow": {"v1": two_steps}}
    tester = WorkflowTester(versions, dict.fromkeys("ab", lambda _ctx, given: given))
    tester.schedule_new_workflow("workflow", input=1, instance_id="one")
    tester.run_to_end()
    [history] = tester.histories()
    assert replay(history, {"workflow": {"v1": two_steps, "v2": pausing}}) is None
    gone = replay(history, {"workflow": {"v2": two_steps}})
    assert gone is not None
    assert gone.kind == Kind.UNKNOWN_WORKFLOW


def test_a_step_behind_a_patch_is_no_difference() -> None:
    def patched(ctx: DaprWorkflowContext, given: Any) -> Any:
        result = yield from two_steps(ctx, given)
        if ctx.is_patched("third step"):
            yield ctx.call_activity("c")
        return result

    assert difference_of(recorded(two_steps), patched) is None
    assert difference_of(recorded(patched), patched) is None
    assert found(recorded(patched), two_steps)[0] == Kind.OTHER_END


def test_a_history_of_an_sdk_without_timers_for_endless_waits_replays() -> None:
    def run(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.wait_for_external_event("go")
        yield ctx.call_activity("a")

    history = recorded(run, "go")
    kept = [event for event in history.events if not events.is_optional_timer_event(event)]
    for event in kept:
        if event.eventId > 1:
            event.eventId -= 1
        if event.HasField("taskCompleted"):
            event.taskCompleted.taskScheduledId -= 1
    assert difference_of(History("one", kept), run) is None


def test_a_wait_that_the_code_no_longer_has_is_ignored_as_by_the_sdk() -> None:
    def run(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.wait_for_external_event("go")
        return 1

    def changed(_ctx: DaprWorkflowContext, _given: Any) -> Any:
        return 1

    assert found(recorded(run, "go"), changed) == (Kind.OTHER_END, 4, "workflowStarted")


def test_a_terminated_and_a_suspended_workflow_replay() -> None:
    tester = WorkflowTester(trip.WORKFLOWS, trip.ACTIVITIES)
    for name in ("ended", "paused"):
        tester.schedule_new_workflow(trip.trip, input=LISBON, instance_id=name)
    tester.run()
    tester.pause_workflow("paused")
    tester.terminate_workflow("ended")
    tester.run()
    assert [replay(history, trip.WORKFLOWS, compare_inputs=True) for history in tester.histories()] == [None, None]


def test_an_event_of_an_unknown_type_fails_the_replay_as_it_fails_the_worker() -> None:
    history = recorded(pausing)
    strange = History("one", [*history.events[:3], pb.HistoryEvent(eventId=-1), *history.events[3:]])
    assert found(strange, pausing) == (Kind.OTHER_END, 5, "workflowStarted")
