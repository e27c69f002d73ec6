"""What the in-memory engine reports to a test: mistakes of workflows, activities and the test itself."""

import itertools
from datetime import timedelta
from typing import Any

import pytest
from dapr.ext.workflow import DaprWorkflowContext

from tests.unit.workflow_testing.test_tester import LISBON, echo, started, started_trip
from workflow_testing import WorkflowFailedError, WorkflowTester
from workflow_testing.examples import trip


def test_a_running_instance_cannot_be_started_again_and_a_finished_one_can() -> None:
    tester = started_trip()
    with pytest.raises(ValueError, match="is running"):
        tester.schedule_new_workflow(trip.trip, input=LISBON, instance_id="trip-1")
    tester.result("trip-1")
    assert tester.schedule_new_workflow(trip.trip, input=LISBON, instance_id="trip-1") == "trip-1"
    assert tester.instances["trip-1"].status is None


def test_an_unexpected_error_of_an_activity_is_raised_to_the_test() -> None:
    def calling(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.call_activity("broken")

    tester = WorkflowTester({"calling": calling}, {"broken": lambda _ctx: {}[1]}, failures=(ConnectionError,))
    tester.schedule_new_workflow("calling")
    with pytest.raises(KeyError):
        tester.run()


def test_a_failing_workflow_is_raised_to_the_test_where_it_asks_for_that() -> None:
    def failing(_ctx: DaprWorkflowContext) -> None:
        raise ValueError("broken")

    tester = WorkflowTester([failing], raise_failures=True)
    tester.schedule_new_workflow(failing, instance_id="one")
    with pytest.raises(WorkflowFailedError, match="one failed"):
        tester.run()


def test_a_workflow_that_never_stops_setting_timers_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(ctx: DaprWorkflowContext, _given: Any) -> Any:
        while True:
            yield ctx.create_timer(timedelta(seconds=1))

    monkeypatch.setattr("workflow_testing.tester._MAX_STEPS", 5)
    with pytest.raises(WorkflowFailedError, match="still sets timers"):
        started(endless).run_to_end()


def test_a_workflow_that_calls_another_activity_in_its_replay_fails() -> None:
    runs = itertools.count()

    def forgetful(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.call_activity("odd" if next(runs) % 2 else "echo", input=1)

    tester = started(forgetful)
    with pytest.raises(WorkflowFailedError, match="NonDeterminismError"):
        tester.result("one")


def test_a_workflow_with_other_inputs_in_its_replay_is_found() -> None:
    runs = itertools.count()

    def wavering(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.call_activity(echo, input={"run": next(runs)})

    tester = started(wavering)
    tester.run()
    [difference] = tester.replay_all()
    assert difference.kind == "other input"
