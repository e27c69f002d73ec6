"""The progress of a parcel, and what it is waiting for, for the customer. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from services.common.json_models import Json

_BOOKED = ("booked", "dispatched", "delivered")


class ParcelStep(NamedTuple):
    """A step of a parcel.

    `state` is done, now, waiting (to come), failed, undone (reversed) or off (will not happen).
    """

    name: str
    state: str


class PendingRetry(NamedTuple):
    """A step that is being retried: `step` is goods, payment or courier; `since` is a time in RFC 3339."""

    step: str
    since: str


def parcel_steps(fulfillment: Json) -> list[ParcelStep]:
    """Return the steps of a parcel, that is of a fulfillment with a location."""
    # A fulfillment with a reason is being undone, or has been.
    ended = fulfillment["status"] in {"cancelled", "failed"} or bool(fulfillment.get("reason"))
    payment, shipment = fulfillment.get("payment") or {}, fulfillment.get("shipment") or {}
    goods = ParcelStep("No longer reserved", "undone") if ended else ParcelStep("Reserved", "done")
    return [
        goods,
        _payment_step(payment.get("status"), fulfillment["status"], ended),
        _courier_step(shipment, payment.get("status"), fulfillment.get("reason"), ended),
        *_delivery_steps(shipment.get("status"), ended),
    ]


def _payment_step(status: str | None, fulfillment_status: str, ended: bool) -> ParcelStep:
    steps = {
        "success": ParcelStep("Paid", "done"),
        "refunded": ParcelStep("Refunded", "undone"),
        "failed": ParcelStep("Not paid", "failed"),
    }
    if status in steps:
        return steps[status]
    if ended:
        return ParcelStep("Not charged", "off")
    # Before processing, the order waits for the customer or for an approval, and nothing is charged.
    is_charging = fulfillment_status == "processing"
    return ParcelStep("Being charged", "now") if is_charging else ParcelStep("Payment", "waiting")


def _courier_step(shipment: Json, payment: str | None, reason: str | None, ended: bool) -> ParcelStep:
    if shipment.get("status") in _BOOKED:
        return ParcelStep("Courier booked", "done")
    if shipment.get("courierReference"):
        return ParcelStep("Courier cancelled", "undone")
    if reason == "shippingUnavailable":
        return ParcelStep("No courier available", "failed")
    if ended:
        return ParcelStep("No courier", "off")
    return ParcelStep("Booking a courier", "now") if payment == "success" else ParcelStep("Courier", "waiting")


def _delivery_steps(shipment: str | None, ended: bool) -> list[ParcelStep]:
    if shipment == "delivered":
        return [ParcelStep("Picked up", "done"), ParcelStep("Delivered", "done")]
    if shipment == "dispatched":
        return [ParcelStep("Picked up", "done"), ParcelStep("In transit", "now")]
    if ended:
        return [ParcelStep("Not picked up", "off"), ParcelStep("Not delivered", "off")]
    pick_up = ParcelStep("Waiting for pickup", "now") if shipment == "booked" else ParcelStep("Pickup", "waiting")
    return [pick_up, ParcelStep("Delivery", "waiting")]


def pending_retry(order: Json, timeline: Sequence[Json], fulfillment: Json | None = None) -> PendingRetry | None:
    """Return the step of an order or a fulfillment that may be being retried, None if there is none.

    The timeline has no entries for failed attempts, so only the time since the last step is known.
    """
    if order["status"] == "pending" and not order.get("fulfillments"):
        return PendingRetry("goods", order["receivedAt"])
    if fulfillment is None or fulfillment["status"] != "processing" or fulfillment.get("reason"):
        return None
    if any(step["type"] == "order.cancelRequested" for step in timeline):
        return None
    payment, shipment = fulfillment.get("payment") or {}, fulfillment.get("shipment") or {}
    if payment.get("status") == "pending":
        return PendingRetry("payment", _last(timeline, "order.processing") or order["updatedAt"])
    if payment.get("status") == "success" and shipment.get("status") == "pending":
        paid_at = _last(timeline, "payment.succeeded", fulfillment["id"])
        return PendingRetry("courier", paid_at or order["updatedAt"])
    return None


def _last(timeline: Sequence[Json], kind: str, fulfillment_id: str | None = None) -> str | None:
    times = [
        step["at"] for step in timeline if step["type"] == kind and fulfillment_id in (None, step.get("fulfillmentId"))
    ]
    return times[-1] if times else None
