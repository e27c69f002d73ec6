"""What statuses and reasons are called when a customer reads them; pure."""

import re
from collections.abc import Sequence

from services.common.json_models import Json

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

_BADGES = {
    "order": {
        "pending": "received",
        "customerActionRequired": "your answer is needed",
        "approvalRequired": "waiting for approval",
    },
    "parcel": {"pending": "reserved", "unavailable": "out of stock"},
    "payment": {"pending": "not charged yet", "success": "paid", "failed": "not paid", "refunded": "paid back"},
}


def tone(code: str) -> str:
    """Return the colour that stands for a status, by Bootstrap's name."""
    return _TONES.get(code, _QUIET)


def name_of(code: str) -> str:
    """Return what a code is called: `customerActionRequired` reads "customer action required"."""
    return re.sub(r"([a-z])([A-Z])", r"\1 \2", code).lower()


def field_of(name: str) -> str:
    """Return what a field of a form is called: `dispatchAfter` reads "Dispatch after"; what is no field stays."""
    if name.startswith("quantity:"):
        return name.removeprefix("quantity:")
    if not re.fullmatch(r"[a-z]+([A-Z][a-z]*)*", name):
        return name
    return "SKU" if name == "sku" else name_of(name).capitalize()


def badge_of(code: str, of: str) -> str:
    """Return what the status of an order, a parcel or a payment is called before a customer."""
    return _BADGES[of].get(code) or name_of(code)


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
