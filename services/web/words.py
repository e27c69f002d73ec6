"""What statuses, reasons and steps are called when a customer reads them; pure."""

import re
from typing import Any, NamedTuple

Json = dict[str, Any]

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
