"""What statuses, reasons and steps are called when a customer reads them; pure."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from services.common.models import Json

_TONES = {
    "completed": "success",
    "delivered": "success",
    "success": "success",
    "processing": "primary",
    "dispatched": "primary",
    "booked": "info",
    "customerActionRequired": "warning",
    "approvalRequired": "warning",
    "failed": "danger",
    "unavailable": "danger",
}
_QUIET = "secondary"

_SENTENCES = {
    "pending": "We have your order and are looking for the goods.",
    "customerActionRequired": "Some of it is out of stock. Tell us what to do with the rest.",
    "approvalRequired": "An order of this size has to be approved by us first. You need not do anything.",
    "processing": "Your order is being paid for, packed and sent.",
    "completed": "Everything that we could send has been delivered. Thank you!",
}

_REASONS = {
    "customerCancelled": "You cancelled it. Nothing stays charged.",
    "customerTimedOut": "We got no answer in time about what was out of stock, so nothing was sent or charged.",
    "notAvailable": "It is out of stock.",
    "approvalRejected": "It was not approved. Nothing was charged.",
    "approvalExpired": "It was not approved in time. Nothing was charged.",
    "paymentDeclined": "The payment was declined.",
    "billingUnavailable": "The payment could not be made just now. Nothing stays charged; please order again.",
    "shippingUnavailable": "No courier could be found. What you paid has been given back.",
}


_CANCELLING = "Your order is being cancelled. What you have paid for it is given back."
_NOTHING_THERE = "Nothing of it is in stock, so we can send you nothing."

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
    "payment.succeeded": "You paid for a parcel.",
    "payment.failed": "The payment for a parcel could not be made.",
    "payment.refunded": "What you paid for a parcel was given back.",
    "shipment.booked": "A courier is booked for a parcel.",
    "shipment.failed": "No courier could be found for a parcel.",
    "shipment.dispatched": "A parcel is on its way.",
    "shipment.delivered": "A parcel was delivered.",
    "fulfillment.failed": "A part of your order cannot be sent. You pay nothing for that part.",
    "fulfillment.cancelled": "A part of your order was cancelled. You pay nothing for that part.",
}


class ParcelStep(NamedTuple):
    """One of the steps that a parcel goes through: `state` is done, now, waiting or failed."""

    name: str
    state: str


def tone(code: str) -> str:
    """Return the colour that stands for a status, by Bootstrap's name."""
    return _TONES.get(code, _QUIET)


def name_of(code: str) -> str:
    """Return what a code is called: `customerActionRequired` reads "customer action required"."""
    return re.sub(r"([a-z])([A-Z])", r"\1 \2", code).lower()


def sentence(thing: Json) -> str:
    """Return what happened to an order or a fulfillment, for the customer."""
    status, reason = thing["status"], thing.get("reason")
    if reason:
        return _REASONS.get(reason, name_of(reason))
    return _SENTENCES.get(status, name_of(status).capitalize())


def order_sentence(order: Json, timeline: Sequence[Json]) -> str:
    """Return how an order stands, for the customer, by what has happened to it as well."""
    happened = {one["type"] for one in timeline}
    if not order.get("completedAt") and not order.get("reason") and "order.cancelRequested" in happened:
        return _CANCELLING
    asked = order["status"] == "customerActionRequired" and "order.amended" not in happened
    # Where nothing would remain, there is no other way out than this.
    return _NOTHING_THERE if asked and order["actions"] == ["cancel"] else sentence(order)


def step(one: Json) -> str:
    """Return what a step of the timeline means to the customer."""
    return _STEPS.get(one["type"]) or str(one["message"])


def parcel_steps(part: Json) -> list[ParcelStep]:
    """Return how far a parcel, a fulfillment with a location, has come."""
    payment, shipment = (part.get("payment") or {}).get("status"), (part.get("shipment") or {}).get("status")
    reached = [True, payment in {"success", "refunded"}, *_shipped(shipment)]
    names = ["Reserved", "Paid", "Courier booked", "On its way", "Delivered"]
    over = part["status"] in {"cancelled", "failed"}
    steps, current = [], True
    for name, done in zip(names, reached, strict=True):
        if done:
            state = "done"
        elif current:
            state, current = ("failed" if over else "now"), False
        else:
            state = "waiting"
        steps.append(ParcelStep(name, state))
    return steps


def _shipped(status: str | None) -> list[bool]:
    order = ["booked", "dispatched", "delivered"]
    reached = order.index(status) if status in order else -1
    return [number <= reached for number in range(len(order))]
