"""The progress of a parcel."""

from typing import Any

import pytest

from services.web.views.progress import PendingRetry, parcel_steps, pending_retry

Json = dict[str, Any]


def part(status: str, payment: str | None = "pending", shipment: str | None = "pending", **more: Any) -> Json:
    return {
        "id": "A1:1",
        "status": status,
        "reason": None,
        "payment": payment and {"status": payment},
        "shipment": shipment and {"status": shipment, "courierReference": None, **more.pop("booking", {})},
        **more,
    }


def shown(given: Json) -> str:
    return ", ".join(f"{step.name}: {step.state}" for step in parcel_steps(given))


@pytest.mark.parametrize(
    ("given", "states"),
    [
        (part("pending"), "done waiting waiting waiting waiting"),
        (part("processing", None, None), "done now waiting waiting waiting"),
        (part("processing"), "done now waiting waiting waiting"),
        (part("processing", "success"), "done done now waiting waiting"),
        (part("processing", "success", "booked"), "done done done now waiting"),
        (part("processing", "success", "dispatched"), "done done done done now"),
        (part("completed", "success", "delivered"), "done done done done done"),
    ],
)
def test_the_steps_of_a_parcel_have_states(given: Json, states: str) -> None:
    assert [step.state for step in parcel_steps(given)] == states.split()


def test_a_parcel_is_not_shown_as_paid_or_in_transit_too_early() -> None:
    assert "Paid" not in shown(part("pending"))
    assert "Being charged: now" in shown(part("processing"))
    booked = shown(part("processing", "success", "booked"))
    assert "Waiting for pickup: now" in booked
    assert "In transit" not in booked


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (part("cancelled", "pending", "cancelled", reason="customerTimedOut"), "Not charged: off, No courier: off"),
        (
            part("cancelled", "refunded", "cancelled", booking={"courierReference": "CR-1"}),
            "Refunded: undone, Courier cancelled: undone",
        ),
        (part("failed", "failed", "cancelled", reason="paymentDeclined"), "Not paid: failed, No courier: off"),
        (
            part("failed", "refunded", "cancelled", reason="shippingUnavailable"),
            "Refunded: undone, No courier available: failed",
        ),
        (
            part("processing", "success", "pending", reason="shippingUnavailable"),
            "Paid: done, No courier available: failed",
        ),
    ],
    ids=["nothing was tried", "booked, then cancelled", "declined", "no courier", "about to be given back"],
)
def test_an_ended_parcel_shows_the_result_of_each_step(given: Json, expected: str) -> None:
    assert shown(given) == f"No longer reserved: undone, {expected}, Not picked up: off, Not delivered: off"


def order(status: str = "processing", *parts: Json) -> Json:
    return {
        "status": status,
        "receivedAt": "received",
        "updatedAt": "updated",
        "fulfillments": list(parts) or None,
    }


TIMELINE: list[Json] = [
    {"type": "order.processing", "at": "began"},
    {"type": "payment.succeeded", "at": "another", "fulfillmentId": "A1:2"},
    {"type": "payment.succeeded", "at": "paid", "fulfillmentId": "A1:1"},
]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (part("pending"), None),
        (part("processing"), PendingRetry("payment", "began")),
        (part("processing", "success"), PendingRetry("courier", "paid")),
        (part("processing", "success", "booked"), None),
        (part("processing", "failed", reason="paymentDeclined"), None),
        (part("completed", "success", "delivered"), None),
        (part("cancelled"), None),
    ],
)
def test_a_pending_retry_has_the_time_of_the_last_step(given: Json, expected: PendingRetry | None) -> None:
    assert pending_retry(order("processing", given), TIMELINE, given) == expected


def test_an_order_without_parcels_is_waiting_for_goods() -> None:
    assert pending_retry(order("pending"), []) == PendingRetry("goods", "received")
    assert pending_retry(order("processing", part("processing")), []) is None


def test_an_order_being_cancelled_has_no_pending_retry() -> None:
    cancelled = [*TIMELINE, {"type": "order.cancelRequested", "at": "then"}]
    assert pending_retry(order("processing"), cancelled, part("processing")) is None


def test_without_a_timeline_the_last_change_counts() -> None:
    assert pending_retry(order("processing"), [], part("processing")) == PendingRetry("payment", "updated")
