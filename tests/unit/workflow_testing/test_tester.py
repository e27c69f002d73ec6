"""The in-memory engine: it behaves as the real engine does."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dapr.ext.workflow import DaprWorkflowContext, RetryPolicy, WorkflowRuntime, when_all

from workflow_testing import VirtualClock, WorkflowFailedError, WorkflowTester
from workflow_testing.examples import trip
from workflow_testing.examples.trip import ACTIVITIES, WORKFLOWS

LISBON = {"city": "Lisbon"}
TWICE = RetryPolicy(first_retry_interval=timedelta(seconds=5), max_number_of_attempts=2)


def echo(_ctx: Any, given: Any) -> Any:
    return given


def started(workflow: Any, *activities: Any) -> WorkflowTester:
    tester = WorkflowTester({"workflow": workflow}, activities or [echo])
    tester.schedule_new_workflow("workflow", input=1, instance_id="one")
    return tester


def started_trip() -> WorkflowTester:
    tester = WorkflowTester(WORKFLOWS, ACTIVITIES)
    tester.schedule_new_workflow(trip.trip, input=LISBON, instance_id="trip-1")
    tester.run()
    return tester


def test_a_confirmed_trip_is_booked_by_its_child_workflow() -> None:
    tester = started_trip()
    tester.raise_workflow_event("trip-1", "Confirmed", data=True)
    assert tester.result("trip-1") == {"status": "booked", "hotel": "hotel in Lisbon", "ticket": "flight to Lisbon"}
    assert [(call.name, call.input) for call in tester.calls] == [("book_hotel", "Lisbon"), ("book_flight", LISBON)]
    assert tester.instances["trip-1-flight"].runtime_status == "COMPLETED"
    assert tester.replay_all() == []


def test_a_timer_fires_at_once_and_moves_the_clock() -> None:
    tester = started_trip()
    assert tester.result("trip-1") == {"status": "cancelled"}
    assert tester.clock.now == datetime(2026, 1, 2, tzinfo=UTC)


def test_timers_fire_in_order_and_only_those_that_are_due() -> None:
    def timers(ctx: DaprWorkflowContext, _given: Any) -> Any:
        for seconds in (5, 10):
            yield ctx.create_timer(timedelta(seconds=seconds))
            yield ctx.call_activity(echo, input=seconds)

    tester = started(timers)
    tester.run(14)
    assert [call.input for call in tester.calls] == [5]
    tester.run(1)
    assert [call.input for call in tester.calls] == [5, 10]


def test_an_event_is_kept_until_it_is_waited_for() -> None:
    def waiting(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.call_activity(echo, input=1)
        return (yield ctx.wait_for_external_event("wake-up"))

    tester = started(waiting)
    tester.raise_workflow_event("one", "wake-up", data="early")
    assert tester.result("one") == "early"


def test_a_failing_activity_is_retried_by_its_policy_in_virtual_time() -> None:
    tries = itertools.count(1)

    def unreliable(_ctx: Any, given: str) -> str:
        if next(tries) < 3:
            raise ConnectionError("no answer")
        return f"hotel in {given}"

    tester = WorkflowTester(WORKFLOWS, {"book_hotel": unreliable, "cancel_hotel": echo})
    tester.schedule_new_workflow(trip.trip, input=LISBON, instance_id="trip-1")
    tester.run(14)
    assert len(tester.calls) == 2
    tester.run(1)
    assert len(tester.calls) == 3
    assert tester.replay_all() == []


def test_when_all_tries_have_failed_the_workflow_fails_with_the_cause() -> None:
    def broken(_ctx: Any, _given: Any) -> None:
        raise ConnectionError("no answer")

    def calling(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.call_activity(broken, retry_policy=TWICE)

    tester = started(calling, broken)
    with pytest.raises(WorkflowFailedError, match=r"one is FAILED: .*no answer"):
        tester.result("one")
    assert tester.replay_all() == []


def test_the_failure_of_a_child_reaches_its_parent() -> None:
    def child(_ctx: DaprWorkflowContext, _given: Any) -> Any:
        raise ValueError("broken")

    def parent(ctx: DaprWorkflowContext, _given: Any) -> Any:
        try:
            yield ctx.call_child_workflow("child")
        except Exception as error:  # noqa: BLE001
            return str(error)

    tester = WorkflowTester({"parent": parent, "child": child})
    tester.schedule_new_workflow("parent", instance_id="p")
    assert "broken" in tester.result("p")
    assert tester.instances["p:0001"].runtime_status == "FAILED"
    assert tester.replay_all() == []


def test_parallel_activities_run_in_the_order_that_the_test_chooses() -> None:
    def parallel(ctx: DaprWorkflowContext, _given: Any) -> Any:
        return (yield when_all([ctx.call_activity(echo, input=number) for number in (1, 2, 3)]))

    tester = started(parallel)
    tester.choose = lambda count: count - 1
    assert tester.result("one") == [1, 2, 3]
    assert [call.input for call in tester.calls] == [3, 2, 1]


def test_a_workflow_continues_as_new_with_its_unread_events() -> None:
    def counting(ctx: DaprWorkflowContext, number: int) -> Any:
        if number == 3:
            return (yield ctx.wait_for_external_event("go"))
        yield ctx.call_activity(echo, input=number)
        ctx.continue_as_new(number + 1, save_events=True)
        return None

    tester = started(counting)
    tester.raise_workflow_event("one", "go", data="went")
    assert tester.result("one") == "went"
    assert [call.input for call in tester.calls] == [1, 2]
    assert tester.replay_all() == []


def test_a_suspended_workflow_goes_on_when_it_is_resumed() -> None:
    tester = started_trip()
    tester.pause_workflow("trip-1")
    tester.raise_workflow_event("trip-1", "confirmed", data=True)
    tester.run()
    assert tester.instances["trip-1"].runtime_status == "SUSPENDED"
    tester.resume_workflow("trip-1")
    assert tester.result("trip-1")["status"] == "booked"
    assert tester.replay_all() == []


def test_a_terminated_workflow_ends_with_its_children() -> None:
    tester = started_trip()
    tester.raise_workflow_event("trip-1", "confirmed", data=True)
    tester.choose = lambda _count: 0
    while "trip-1-flight" not in tester.instances:
        assert tester._next_turn()
    tester.terminate_workflow("trip-1", output="too late")
    assert [each.runtime_status for each in tester.instances.values()] == ["TERMINATED"] * 2
    assert tester.instances["trip-1"].result == "too late"
    with pytest.raises(WorkflowFailedError, match="TERMINATED"):
        tester.result("trip-1")
    assert tester.replay_all() == []


def test_typed_inputs_and_asynchronous_activities_arrive_as_on_the_real_worker() -> None:
    @dataclass
    class Seat:
        row: int

    class Model:
        def __init__(self, row: int) -> None:
            self.row = row

        def model_dump(self, **_options: Any) -> dict[str, int]:
            return {"row": self.row}

        @classmethod
        def model_validate(cls, data: dict[str, int]) -> "Model":
            return cls(data["row"])

    async def book(_ctx: Any, seat: Any) -> int:
        return int(seat.row)

    def seats(ctx: DaprWorkflowContext, model: Model) -> Any:
        assert isinstance(model, Model)
        return (yield ctx.call_activity(book, input=Seat(model.row + 1)))

    seats.__annotations__["model"] = Model
    tester = WorkflowTester([seats], [book])
    tester.schedule_new_workflow(seats, input=Model(4), instance_id="one")
    assert tester.result("one") == 5


def test_a_patched_step_runs_in_new_instances_only() -> None:
    def before(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.wait_for_external_event("go")
        yield ctx.call_activity(echo, input="old")

    def after(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.wait_for_external_event("go")
        if ctx.is_patched("screen"):
            yield ctx.call_activity(echo, input="new")
        yield ctx.call_activity(echo, input="old")

    tester = started(after)
    tester.raise_workflow_event("one", "go")
    tester.result("one")
    assert [call.input for call in tester.calls] == ["new", "old"]
    assert tester.replay_all() == []
    old = started(before)
    old.raise_workflow_event("one", "go")
    old.result("one")
    old._registry = tester._registry
    assert old.replay_all() == []


def test_workflows_of_a_runtime_run_with_their_named_versions() -> None:
    runtime = WorkflowRuntime()

    def first(_ctx: DaprWorkflowContext) -> str:
        return "first"

    def second(_ctx: DaprWorkflowContext) -> str:
        return "second"

    runtime.register_versioned_workflow(first, name="versioned", version_name="v1", is_latest=False)
    runtime.register_versioned_workflow(second, name="versioned", version_name="v2", is_latest=True)
    tester = WorkflowTester(runtime)
    tester.schedule_new_workflow("versioned", instance_id="one")
    assert tester.result("one") == "second"
    [started, *_] = tester.get_workflow_history("one")
    assert started.workflowStarted.version.name == "v2"


def test_a_clock_stands_still_until_it_is_moved() -> None:
    clock = VirtualClock(datetime(2030, 1, 1, tzinfo=UTC))
    clock.advance(90)
    assert clock.now == datetime(2030, 1, 1, 0, 1, 30, tzinfo=UTC)
