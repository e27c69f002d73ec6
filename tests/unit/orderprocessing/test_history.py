"""What the engine's histories say, of workflows that ran and of events made for it."""

import json
from datetime import datetime
from typing import Any

import dapr.ext.workflow._durabletask.internal.helpers as events
import dapr.ext.workflow._durabletask.internal.protos as pb
import pytest
from opentelemetry import context, trace

from services.orderprocessing.engine.history import instance_view
from tests.unit.orderprocessing.world import AT_A, AT_B, HIGH_VALUE, World

AT = datetime(2026, 11, 21, 9, 0, 0, 5000)  # noqa: DTZ001 - as the SDK takes it
TRACE = 0x0AF7651916CD43DD8448EB211C80319C


def told(world: World, order_id: str = "A1") -> list[dict[str, Any]]:
    answer = world.send("GET", f"/orders/{order_id}/history")
    assert answer.status_code == 200
    return list(answer.get_json())


def only(event: pb.HistoryEvent) -> dict[str, Any]:
    """Return the one event of an instance as it is shown."""
    return dict(instance_view("order-A1", [event])["events"][0])


def test_an_order_is_told_with_its_children_after_it(world: World) -> None:
    world.place(AT_A, AT_B)
    world.finish()
    names = [(one["instanceId"], one["workflow"]) for one in told(world)]
    assert names == [
        ("order-A1", "order_workflow"),
        ("charge-A1-1", "charge_workflow"),
        ("shipment-A1-1", "shipment_workflow"),
        ("charge-A1-2", "charge_workflow"),
        ("shipment-A1-2", "shipment_workflow"),
    ]


def test_an_instance_that_has_not_started_is_left_out(world: World) -> None:
    world.place(HIGH_VALUE)
    world.run()
    assert [(one["instanceId"], one["status"]) for one in told(world)] == [("order-A1", "RUNNING")]
    world.driver.instances.clear()
    assert told(world) == []


def test_every_step_shows_what_it_was_given_and_what_it_returned(world: World) -> None:
    world.place(AT_A)
    world.finish()
    order = told(world)[0]
    started = next(one for one in order["events"] if one["type"] == "executionStarted")
    scheduled = next(one for one in order["events"] if one["type"] == "taskScheduled")
    completed = next(one for one in order["events"] if one["type"] == "taskCompleted")
    assert started["input"]["orderId"] == "A1"
    assert (scheduled["name"], scheduled["input"]) == ("reserve", {"orderId": "A1", "announced": 0})
    assert (completed["name"], completed["scheduledId"]) == ("reserve", scheduled["id"])
    assert completed["result"]["fulfillments"] == ["A1:1"]
    child = next(one for one in order["events"] if one["type"] == "childWorkflowInstanceCompleted")
    assert (child["name"], child["result"]["outcome"]) == ("charge_workflow", "done")


def test_an_unknown_order_has_no_history(world: World) -> None:
    assert world.send("GET", "/orders/nobody/history").status_code == 404


def test_without_the_engine_there_is_no_history_for_now(world: World) -> None:
    world.place(AT_A)
    world.driver.reachable = False
    answer = world.send("GET", "/orders/A1/history")
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")


def test_an_event_shows_all_its_fields() -> None:
    event = events.new_task_scheduled_event(3, "reserve", '{"orderId": "A1"}')
    event.timestamp.FromDatetime(AT)
    assert only(event) == {
        "id": 3,
        "at": "2026-11-21T09:00:00.005Z",
        "type": "taskScheduled",
        "name": "reserve",
        "scheduledId": None,
        "fireAt": None,
        "input": {"orderId": "A1"},
        "result": None,
        "failure": None,
        "run": None,
    }


def test_a_failure_shows_type_and_message_and_no_stack_trace() -> None:
    try:
        raise ValueError("out of paper")
    except ValueError as error:
        event = events.new_task_failed_event(3, error)
    assert event.taskFailed.failureDetails.stackTrace.value
    assert only(event)["failure"] == {"type": "ValueError", "message": "out of paper"}
    assert "Traceback" not in json.dumps(only(event))


@pytest.mark.parametrize(
    ("payload", "shown"), [('"é"', "é"), ("null", None), ("0", 0), ("no JSON", "no JSON"), ("", "")], ids=repr
)
def test_a_payload_is_shown_as_the_json_that_it_is_or_as_text(payload: str, shown: object) -> None:
    assert only(events.new_event_raised_event("wake-up", payload))["input"] == shown


def test_what_is_too_long_is_cut_and_says_so() -> None:
    whole, longer = json.dumps("x" * 3998), json.dumps("x" * 3999)
    assert only(events.new_task_completed_event(1, whole))["result"] == "x" * 3998
    shown = only(events.new_task_completed_event(1, longer))["result"]
    assert shown == longer[:4000] + " … (truncated, 4001 characters in total)"
    failed = events.new_task_failed_event(1, ValueError("y" * 5000))
    assert only(failed)["failure"]["message"] == "y" * 4000 + " … (truncated, 5000 characters in total)"


def test_of_a_long_history_the_newest_thousand_are_shown() -> None:
    history = [events.new_execution_started_event("order_workflow", "order-A1", "{}")]
    history += [events.new_task_scheduled_event(number, "reserve", "{}") for number in range(1001)]
    view = instance_view("order-A1", [*history, events.new_task_completed_event(0, "{}")])
    assert (len(view["events"]), view["omitted"], view["workflow"]) == (1000, 3, "order_workflow")
    assert view["events"][-1]["name"] == "reserve"


def test_a_timer_shows_when_it_ends_unless_it_never_does() -> None:
    assert only(events.new_timer_created_event(1, AT))["fireAt"] == "2026-11-21T09:00:00.005Z"
    fired = only(events.new_timer_fired_event(1, AT))
    assert (fired["scheduledId"], fired["fireAt"]) == (1, "2026-11-21T09:00:00.005Z")
    for_ever = pb.HistoryEvent(eventId=1, timerCreated=pb.TimerCreatedEvent(fireAt=events.OPTIONAL_TIMER_FIRE_AT))
    assert only(for_ever)["fireAt"] is None


@pytest.mark.parametrize(
    ("last", "status"),
    [
        ([], "PENDING"),
        ([pb.HistoryEvent(eventId=-1, workflowStarted=pb.WorkflowStartedEvent())], "RUNNING"),
        ([pb.HistoryEvent(eventId=-1, executionSuspended=pb.ExecutionSuspendedEvent())], "SUSPENDED"),
        ([pb.HistoryEvent(eventId=-1, executionStalled=pb.ExecutionStalledEvent())], "STALLED"),
        (
            [
                pb.HistoryEvent(
                    eventId=-1,
                    executionCompleted=pb.ExecutionCompletedEvent(workflowStatus=pb.ORCHESTRATION_STATUS_TERMINATED),
                )
            ],
            "TERMINATED",
        ),
        ([pb.HistoryEvent(eventId=-1)], "RUNNING"),
    ],
    ids=["nothing", "started", "suspended", "stalled", "terminated", "unknown"],
)
def test_the_history_tells_how_an_instance_is(last: list[pb.HistoryEvent], status: str) -> None:
    view = instance_view("order-A1", last)
    assert (view["status"], view["workflow"]) == (status, None)


def test_the_record_notes_the_trace_in_which_the_workflow_runs(world: World) -> None:
    world.place(AT_A)
    assert world.shown()["traceId"] is None
    span = trace.NonRecordingSpan(trace.SpanContext(TRACE, 1, is_remote=True))
    token = context.attach(trace.set_span_in_context(span))
    try:
        world.run()
    finally:
        context.detach(token)
    assert world.shown()["traceId"] == f"{TRACE:032x}"
    world.finish()
    assert world.shown()["traceId"] == f"{TRACE:032x}"
