"""How far a parcel has come, and what it waits for, as a customer reads it; pure."""

from collections.abc import Sequence
from typing import NamedTuple

from services.common.json_models import Json

_LEFT = ("dispatched", "delivered")
_BOOKED = ("booked", *_LEFT)


class ParcelStep(NamedTuple):
    """One of the steps that a parcel goes through.

    `state` is done, now, waiting (to come), failed, undone (taken back) or off (it will not be).
    """

    name: str
    state: str


class Standstill(NamedTuple):
    """What is tried again and again: `what` is goods, payment or courier; since when."""

    what: str
    since: str


def parcel_steps(part: Json) -> list[ParcelStep]:
    """Return how far a parcel, a fulfillment with a location, has come."""
    # One that has a reason is being given back, or is.
    over = part["status"] in {"cancelled", "failed"} or bool(part.get("reason"))
    payment, shipment = part.get("payment") or {}, part.get("shipment") or {}
    goods = ParcelStep("No longer reserved", "undone") if over else ParcelStep("Reserved", "done")
    return [
        goods,
        _payment(payment.get("status"), part["status"], over),
        _courier(shipment, payment.get("status"), part.get("reason"), over),
        *_journey(shipment.get("status"), over),
    ]


def _payment(status: str | None, part_status: str, over: bool) -> ParcelStep:
    known = {
        "success": ParcelStep("Paid", "done"),
        "refunded": ParcelStep("Paid back", "undone"),
        "failed": ParcelStep("Not paid", "failed"),
    }
    if status in known:
        return known[status]
    if over:
        return ParcelStep("Not charged", "off")
    # Before that the order waits for its customer or for an approval, and nobody charges anything.
    return ParcelStep("Being charged", "now") if part_status == "processing" else ParcelStep("Payment", "waiting")


def _courier(shipment: Json, payment: str | None, reason: str | None, over: bool) -> ParcelStep:
    if shipment.get("status") in _BOOKED:
        return ParcelStep("Courier booked", "done")
    if shipment.get("courierReference"):
        return ParcelStep("Courier called off", "undone")
    if reason == "shippingUnavailable":
        return ParcelStep("No courier found", "failed")
    if over:
        return ParcelStep("No courier", "off")
    return ParcelStep("Looking for a courier", "now") if payment == "success" else ParcelStep("Courier", "waiting")


def _journey(shipment: str | None, over: bool) -> list[ParcelStep]:
    if shipment == "delivered":
        return [ParcelStep("Picked up", "done"), ParcelStep("Delivered", "done")]
    if shipment == "dispatched":
        return [ParcelStep("Picked up", "done"), ParcelStep("On its way", "now")]
    if over:
        return [ParcelStep("Not picked up", "off"), ParcelStep("Not delivered", "off")]
    pick_up = ParcelStep("Waits for pick-up", "now") if shipment == "booked" else ParcelStep("Pick-up", "waiting")
    return [pick_up, ParcelStep("Delivery", "waiting")]


def standstill(order: Json, timeline: Sequence[Json], part: Json | None = None) -> Standstill | None:
    """Return what an order, or a part of it, cannot do without and has not got yet; None where it waits for nobody.

    The timeline has no step for a try that failed, so that the time since the last step is all that is known.
    """
    if order["status"] == "pending" and not order.get("fulfillments"):
        return Standstill("goods", order["receivedAt"])
    if part is None or part["status"] != "processing" or part.get("reason"):
        return None
    if any(one["type"] == "order.cancelRequested" for one in timeline):
        return None
    payment, shipment = part.get("payment") or {}, part.get("shipment") or {}
    if payment.get("status") == "pending":
        return Standstill("payment", _last(timeline, "order.processing") or order["updatedAt"])
    if payment.get("status") == "success" and shipment.get("status") == "pending":
        return Standstill("courier", _last(timeline, "payment.succeeded", part["id"]) or order["updatedAt"])
    return None


def _last(timeline: Sequence[Json], kind: str, part_id: str | None = None) -> str | None:
    found = [one["at"] for one in timeline if one["type"] == kind and part_id in (None, one.get("fulfillmentId"))]
    return found[-1] if found else None
