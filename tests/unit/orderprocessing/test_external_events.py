"""Events that a client of the sidecar raises on workflows: applied as decisions, or refused with a reason."""

import json
from typing import Any

import dapr.ext.workflow._durabletask.internal.helpers as events
import dapr.ext.workflow._durabletask.internal.protos as pb
import pytest

from services.common.states import OrderStatus, Reason
from services.orderprocessing.domain.ids import WAKE_UP
from services.orderprocessing.engine.external_events import ExternalEvents, translate_event, translate_events
from tests.unit.orderprocessing.balance import check_over
from tests.unit.orderprocessing.world import AT_A, HIGH_VALUE, OUT_OF_STOCK, World

ORDER, SHIPMENT = "order-A1", "shipment-A1-1"
APPROVED = {"approver": "Chris", "approved": True}
NOT_JSON = "{"


def raise_event(world: World, instance: str, name: str, payload: object) -> None:
    """Raise an event as the sidecar's HTTP API does; a text is sent unchanged."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    event = events.new_event_raised_event(name, text)
    translate_event(event)
    world.driver.instances[instance].inbox.append(event)
    world.run()


def refusals(world: World) -> list[str]:
    return [step.message for step in world.order().timeline if step.type == "order.eventRefused"]


def end(world: World) -> None:
    """Let the order end, and check its books, its events and its replay."""
    world.finish()
    check_over(world)
    world.driver.check_replay()


@pytest.fixture
def waiting(world: World) -> World:
    """An order that waits for an approval."""
    world.place(HIGH_VALUE)
    world.run()
    assert world.order().status == OrderStatus.APPROVAL_REQUIRED
    return world


@pytest.fixture
def booked(world: World) -> World:
    world.place(AT_A)
    world.run()
    return world


@pytest.mark.parametrize("name", ["approval", "Approval"])
def test_the_approval_event_of_the_dapr_sample_approves_an_order(waiting: World, name: str) -> None:
    raise_event(waiting, ORDER, name, APPROVED)
    assert waiting.order().status == OrderStatus.PROCESSING
    assert [step.actor for step in waiting.order().timeline if step.type == "order.approved"] == ["Chris"]
    end(waiting)
    assert waiting.order().status == OrderStatus.COMPLETED


def test_the_cli_sends_its_input_as_a_json_string(waiting: World) -> None:
    raise_event(waiting, ORDER, "approval", json.dumps(json.dumps(APPROVED | {"approved": False})))
    end(waiting)
    assert waiting.order().reason == Reason.APPROVAL_REJECTED


@pytest.mark.parametrize("action", ["amend", "cancel"])
def test_the_action_event_decides_for_the_customer(world: World, action: str) -> None:
    world.place(AT_A, OUT_OF_STOCK)
    world.run()
    raise_event(world, ORDER, "action", {"action": action})
    end(world)
    assert world.order().status == (OrderStatus.COMPLETED if action == "amend" else OrderStatus.CANCELLED)


def test_the_action_event_cancels_an_order_that_is_being_processed(booked: World) -> None:
    raise_event(booked, ORDER, "action", {"action": "cancel"})
    booked.run()
    assert booked.order().reason == Reason.CUSTOMER_CANCELLED
    end(booked)


def test_an_event_that_arrives_before_the_workflow_waits_is_applied_later(world: World) -> None:
    world.place(AT_A)
    event = events.new_event_raised_event("action", json.dumps({"action": "cancel"}))
    translate_event(event)
    world.driver.instances[ORDER].inbox.append(event)
    world.run()
    assert world.order().reason == Reason.CUSTOMER_CANCELLED
    end(world)


def test_the_status_event_reports_for_the_courier(booked: World) -> None:
    for status in ("dispatched", "delivered"):
        raise_event(booked, SHIPMENT, "status", {"status": status})
    assert booked.order().status == OrderStatus.COMPLETED
    end(booked)


@pytest.mark.parametrize(
    ("name", "payload", "reason"),
    [
        ("approval", NOT_JSON, "the payload is not JSON"),
        ("approval", "", "the payload is not JSON"),
        ("approval", [1], "payload: "),
        ("approval", {"approved": 1}, "approver: Field required; approved: "),
        ("approval", "[" * 100_000, "the payload is not JSON"),
        ("action", {"action": "amend"}, "amend is not possible now: the order is approvalRequired"),
        ("action", {"action": "refund"}, "action: "),
        ("wake-up", {"approved": True}, "an order takes the events approval and action"),
        ("manager_approval", {"approval": True}, "an order takes the events approval and action"),
    ],
)
def test_an_event_that_is_no_legal_decision_is_refused_in_the_timeline(
    waiting: World, name: str, payload: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        raise_event(waiting, ORDER, name, payload)
    [message] = refusals(waiting)
    assert message.startswith(f"Event '{name}' refused: {reason}")
    assert "an external event was refused" in caplog.text
    assert waiting.order().status == OrderStatus.APPROVAL_REQUIRED
    assert "order.eventRefused" in {event["type"] for event in waiting.shop.published}
    assert waiting.approve() == 202
    end(waiting)
    assert waiting.order().status == OrderStatus.COMPLETED


def test_a_decision_that_comes_too_late_is_refused_while_the_order_is_processed(booked: World) -> None:
    raise_event(booked, ORDER, "approval", APPROVED)
    assert refusals(booked) == ["Event 'approval' refused: the order waits for no approval"]
    end(booked)


def test_a_shipment_refuses_events_of_an_order(booked: World) -> None:
    raise_event(booked, SHIPMENT, "approval", APPROVED)
    raise_event(booked, SHIPMENT, "status", {"status": "delivered"})
    assert [text.partition(": ")[2][:20] for text in refusals(booked)] == [
        "a shipment takes the",
        "the shipment cannot ",
    ]
    end(booked)


def test_an_event_that_runs_twice_is_refused_once(waiting: World) -> None:
    waiting.driver.runs_of_each_activity = 2
    raise_event(waiting, ORDER, "approval", NOT_JSON)
    raise_event(waiting, ORDER, "approval", APPROVED)
    assert len(refusals(waiting)) == 1
    end(waiting)


def test_a_long_payload_or_name_is_refused_and_not_copied_into_the_history(waiting: World) -> None:
    raise_event(waiting, ORDER, "approval", APPROVED | {"note": "x" * 2_000_000})
    raise_event(waiting, ORDER, "y" * 2_000_000, APPROVED)
    assert refusals(waiting)[0] == "Event 'approval' refused: the payload is not JSON"
    assert len(refusals(waiting)) == 2
    scheduled = [event for event in waiting.driver.instances[ORDER].history if event.HasField("taskScheduled")]
    assert max(event.ByteSize() for event in scheduled) < 20_000
    assert waiting.approve() == 202
    end(waiting)


def test_a_wake_up_signal_without_content_stays_as_it_is() -> None:
    signal = events.new_event_raised_event(WAKE_UP)
    before = signal.SerializeToString()
    translate_event(signal)
    assert signal.SerializeToString() == before


def test_orders_without_events_create_no_further_timer(booked: World) -> None:
    history = booked.driver.instances[ORDER].history
    assert not [event for event in history if event.HasField("timerCreated")]


def test_the_interceptor_translates_the_events_of_work_items_only() -> None:
    past, new = (events.new_event_raised_event("approval", "1") for _ in range(2))
    request = pb.WorkflowRequest(instanceId=ORDER, pastEvents=[past], newEvents=[new])
    other = pb.HealthPing()
    stream = ExternalEvents().intercept_unary_stream(
        lambda _details, _request: iter([pb.WorkItem(workflowRequest=request), other]), None, None
    )
    item, unchanged = list(stream)
    names = [event.eventRaised.name for event in (*item.workflowRequest.pastEvents, *item.workflowRequest.newEvents)]
    assert names == [WAKE_UP, WAKE_UP]
    translate_events(unchanged)
    assert unchanged == other
