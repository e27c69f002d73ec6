"""What happened to an order, and what it cost, as its customer is told; pure."""

from collections.abc import Sequence
from typing import NamedTuple

from services.common.json_models import Json

_WHOLE = {"cancelled", "timedOut"}
_NAMED_ANYWAY = {"system", "customer", "courier"}

_STEPS = {
    "order.received": "We have your order.",
    "order.reserved": "We looked for the goods in our warehouses.",
    "order.customerActionRequired": "Not everything is in stock, so we asked you what to do.",
    "order.amended": "You told us to send the rest.",
    "order.approvalRequired": "An order of this size has to be approved by us first.",
    "order.approved": "Your order was approved.",
    "order.rejected": "Your order was not approved.",
    "order.processing": "We began to get your order ready.",
    "order.cancelRequested": "You told us to cancel the order.",
    "order.completed": "Everything that we could send has been delivered.",
    "order.failed": "Nothing of your order could be delivered.",
    "order.cancelled": "Your order is cancelled.",
    "order.timedOut": "We got no answer from you in time, so the order has ended.",
    "payment.succeeded": "You paid for {parcel}.",
    "payment.failed": "The payment for {parcel} could not be made.",
    "payment.refunded": "What you paid for {parcel} was given back.",
    "shipment.booked": "A courier is booked for {parcel}.",
    "shipment.failed": "No courier could be found for {parcel}.",
    "shipment.dispatched": "The courier has picked {parcel} up.",
    "shipment.delivered": "The courier has delivered {parcel}.",
    "fulfillment.failed": "We cannot send {parcel}. You pay nothing for it.",
    "fulfillment.cancelled": "We do not send {parcel}. You pay nothing for it.",
}
_TAKEN_OFF = "What is out of stock was taken off your order. You pay nothing for it."


class Told(NamedTuple):
    """A step of the timeline in the customer's words; `who` did it, where the text does not say so."""

    key: str
    at: str
    text: str
    who: str | None


class Sums(NamedTuple):
    """What an order has cost so far over all its parcels, in cents; `more` tells that a charge may follow."""

    charged: int
    given_back: int
    more: bool

    @property
    def paid(self) -> int:
        """What stays paid."""
        return self.charged - self.given_back


def story(order: Json, timeline: Sequence[Json]) -> list[Told]:
    """Return what the customer is told of what happened, oldest first."""
    ended_whole = order["status"] in _WHOLE or any(one["type"] == "order.cancelRequested" for one in timeline)
    return [
        Told(str(number), one["at"], step(one, order), None if one["actor"] in _NAMED_ANYWAY else one["actor"])
        for number, one in enumerate(timeline)
        # That the whole order is cancelled says it of each of its parts.
        if not (ended_whole and one["type"] == "fulfillment.cancelled")
    ]


def step(one: Json, order: Json) -> str:
    """Return what a step of the timeline means to the customer."""
    parts = {part["id"]: part for part in order.get("fulfillments") or []}
    part = parts.get(one.get("fulfillmentId"))
    if one["type"] == "fulfillment.cancelled" and part and not part["location"]:
        return _TAKEN_OFF
    text = _STEPS.get(one["type"])
    return text.replace("{parcel}", _parcel(part, list(parts.values()))) if text else str(one["message"])


def sums(order: Json) -> Sums:
    """Return what an order has cost so far."""
    payments = [part["payment"] for part in order.get("fulfillments") or [] if part.get("payment")]

    def total(*statuses: str) -> int:
        return sum(one["total"] or 0 for one in payments if one["status"] in statuses)

    more = not order.get("completedAt") and (not payments or any(one["status"] == "pending" for one in payments))
    return Sums(total("success", "refunded"), total("refunded"), more)


def _parcel(part: Json | None, parts: Sequence[Json]) -> str:
    if part is None or not part["location"]:
        return "a parcel"
    alone = len([one for one in parts if one["location"]]) == 1
    return "your parcel" if alone else f"the parcel from {part['location']}"
