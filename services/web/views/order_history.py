"""The history and the cost of an order, for its customer. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from services.common.json_models import Json
from services.common.states import OrderStatus

_CANCELLED_ORDER = {OrderStatus.CANCELLED, OrderStatus.TIMED_OUT}
_UNNAMED_ACTORS = {"system", "customer", "courier"}

_STEPS = {
    "order.received": "We received your order.",
    "order.reserved": "We checked the stock in our warehouses.",
    "order.customerActionRequired": "Some items were out of stock, so we asked you what to do.",
    "order.amended": "You asked us to send the rest.",
    "order.approvalRequired": "An order of this size needs our approval.",
    "order.approved": "Your order was approved.",
    "order.rejected": "Your order was not approved.",
    "order.processing": "We started processing your order.",
    "order.cancelRequested": "You asked us to cancel the order.",
    "order.eventRefused": "A change to your order was not possible.",
    "order.completed": "Everything that we could send has been delivered.",
    "order.failed": "No part of your order could be delivered.",
    "order.cancelled": "Your order was cancelled.",
    "order.timedOut": "You did not answer in time, so the order was closed.",
    "payment.succeeded": "You paid for {parcel}.",
    "payment.failed": "The payment for {parcel} failed.",
    "payment.refunded": "Your payment for {parcel} was refunded.",
    "shipment.booked": "A courier was booked for {parcel}.",
    "shipment.failed": "No courier was available for {parcel}.",
    "shipment.dispatched": "The courier picked up {parcel}.",
    "shipment.delivered": "The courier delivered {parcel}.",
    "fulfillment.failed": "We cannot send {parcel}. You do not pay for it.",
    "fulfillment.cancelled": "We will not send {parcel}. You do not pay for it.",
}
_REMOVED = "We removed the items that are out of stock from your order. You do not pay for them."


class HistoryEntry(NamedTuple):
    """A step of the timeline as a sentence for the customer; `actor` only if the sentence does not name the actor."""

    key: str
    at: str
    text: str
    actor: str | None


class OrderTotals(NamedTuple):
    """The cost of an order over all its parcels, in cents; `charges_pending` if a charge may follow."""

    charged: int
    refunded: int
    charges_pending: bool

    @property
    def paid(self) -> int:
        """The charges minus the refunds."""
        return self.charged - self.refunded


def order_history(order: Json, timeline: Sequence[Json]) -> list[HistoryEntry]:
    """Return the timeline as sentences for the customer, oldest first."""
    cancelled = order["status"] in _CANCELLED_ORDER or any(step["type"] == "order.cancelRequested" for step in timeline)
    return [
        HistoryEntry(
            str(number),
            step["at"],
            step_sentence(step, order),
            None if step["actor"] in _UNNAMED_ACTORS else step["actor"],
        )
        for number, step in enumerate(timeline)
        # The cancellation of the order includes that of its fulfillments.
        if not (cancelled and step["type"] == "fulfillment.cancelled")
    ]


def step_sentence(step: Json, order: Json) -> str:
    """Return a step of the timeline as a sentence for the customer."""
    fulfillments = {fulfillment["id"]: fulfillment for fulfillment in order.get("fulfillments") or []}
    fulfillment = fulfillments.get(step.get("fulfillmentId"))
    if step["type"] == "fulfillment.cancelled" and fulfillment and not fulfillment["location"]:
        return _REMOVED
    text = _STEPS.get(step["type"])
    if text is None:
        return str(step["message"])
    return text.replace("{parcel}", _parcel_name(fulfillment, list(fulfillments.values())))


def totals(order: Json) -> OrderTotals:
    """Return the cost of an order so far."""
    payments = [part["payment"] for part in order.get("fulfillments") or [] if part.get("payment")]

    def total(*statuses: str) -> int:
        return sum(payment["total"] or 0 for payment in payments if payment["status"] in statuses)

    pending = not payments or any(payment["status"] == "pending" for payment in payments)
    return OrderTotals(total("success", "refunded"), total("refunded"), not order.get("completedAt") and pending)


def _parcel_name(fulfillment: Json | None, fulfillments: Sequence[Json]) -> str:
    if fulfillment is None or not fulfillment["location"]:
        return "a parcel"
    parcels = [other for other in fulfillments if other["location"]]
    return "your parcel" if len(parcels) == 1 else f"the parcel from {fulfillment['location']}"
