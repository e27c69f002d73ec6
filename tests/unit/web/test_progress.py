"""How far a parcel has come: only what is true is said, and red is what failed."""

from typing import Any

import pytest

from services.web.views.progress import Standstill, parcel_steps, standstill

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
def test_a_parcel_shows_how_far_it_has_come(given: Json, states: str) -> None:
    assert [step.state for step in parcel_steps(given)] == states.split()


def test_nothing_is_called_paid_or_on_its_way_before_it_is() -> None:
    assert "Paid" not in shown(part("pending"))
    assert "Being charged: now" in shown(part("processing"))
    booked = shown(part("processing", "success", "booked"))
    assert "Waits for pick-up: now" in booked
    assert "On its way" not in booked


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (part("cancelled", "pending", "cancelled", reason="customerTimedOut"), "Not charged: off, No courier: off"),
        (
            part("cancelled", "refunded", "cancelled", booking={"courierReference": "CR-1"}),
            "Paid back: undone, Courier called off: undone",
        ),
        (part("failed", "failed", "cancelled", reason="paymentDeclined"), "Not paid: failed, No courier: off"),
        (
            part("failed", "refunded", "cancelled", reason="shippingUnavailable"),
            "Paid back: undone, No courier found: failed",
        ),
        (
            part("processing", "success", "pending", reason="shippingUnavailable"),
            "Paid: done, No courier found: failed",
        ),
    ],
    ids=["nothing was tried", "booked, then cancelled", "declined", "no courier", "about to be given back"],
)
def test_a_parcel_that_is_over_says_what_became_of_each_step(given: Json, told: str) -> None:
    assert shown(given) == f"No longer reserved: undone, {told}, Not picked up: off, Not delivered: off"


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
    ("given", "told"),
    [
        (part("pending"), None),
        (part("processing"), Standstill("payment", "began")),
        (part("processing", "success"), Standstill("courier", "paid")),
        (part("processing", "success", "booked"), None),
        (part("processing", "failed", reason="paymentDeclined"), None),
        (part("completed", "success", "delivered"), None),
        (part("cancelled"), None),
    ],
)
def test_what_is_tried_again_and_again_is_known_with_the_time_of_the_last_step(
    given: Json, told: Standstill | None
) -> None:
    assert standstill(order("processing", given), TIMELINE, given) == told


def test_an_order_without_parcels_waits_for_its_goods() -> None:
    assert standstill(order("pending"), []) == Standstill("goods", "received")
    assert standstill(order("processing", part("processing")), []) is None


def test_what_is_being_cancelled_waits_for_nothing() -> None:
    cancelled = [*TIMELINE, {"type": "order.cancelRequested", "at": "then"}]
    assert standstill(order("processing"), cancelled, part("processing")) is None


def test_where_the_timeline_is_not_known_the_last_change_counts() -> None:
    assert standstill(order("processing"), [], part("processing")) == Standstill("payment", "updated")
