"""Labels of statuses, reasons and fields. Pure."""

import re
from collections.abc import Sequence

from services.common.json_models import Json

_COLORS = {
    "completed": "success",
    "delivered": "success",
    "success": "success",
    "processing": "primary",
    "running": "primary",
    "dispatched": "primary",
    "booked": "info",
    "customerActionRequired": "warning",
    "approvalRequired": "warning",
    "failed": "danger",
    "unavailable": "danger",
    "lost": "danger",
}
_DEFAULT_COLOR = "secondary"

_SENTENCES = {
    "pending": "We have received your order and are reserving the goods.",
    "customerActionRequired": "Some items are out of stock. Tell us what to do with the rest.",
    "approvalRequired": "We have to approve an order of this size first. You do not need to do anything.",
    "processing": "Your order is being paid for, packed and shipped.",
    "completed": "Everything that we could send has been delivered. Thank you!",
}

_REASONS = {
    "customerCancelled": "You cancelled the order. Anything that you paid is refunded.",
    "customerTimedOut": "You did not answer in time about the missing items. Nothing was sent or charged.",
    "notAvailable": "Out of stock.",
    "approvalRejected": "Your order was not approved. Nothing was charged.",
    "approvalExpired": "Your order was not approved in time. Nothing was charged.",
    "paymentDeclined": "The payment was declined.",
    "billingUnavailable": "The payment could not be processed. You will not be charged; please order again.",
    "shippingUnavailable": "No courier was available. Your payment was refunded.",
}


_CANCELLING = "Your order is being cancelled. What you have paid is being refunded."
_NOTHING_IN_STOCK = "All items are out of stock, so we cannot send you anything."

_CUSTOMER_LABELS = {
    "order": {
        "pending": "received",
        "customerActionRequired": "your answer is needed",
        "approvalRequired": "waiting for approval",
    },
    "parcel": {"pending": "reserved", "unavailable": "out of stock"},
    "payment": {"pending": "not charged yet", "success": "paid", "failed": "not paid", "refunded": "refunded"},
}


def color(code: str) -> str:
    """Return the color of a status, as Bootstrap names it."""
    return _COLORS.get(code, _DEFAULT_COLOR)


def label(code: str) -> str:
    """Return the label of a code: `customerActionRequired` becomes "customer action required"."""
    return re.sub(r"([a-z])([A-Z])", r"\1 \2", code).lower()


def field_label(name: str) -> str:
    """Return the label of a form field: `dispatchAfter` becomes "Dispatch after". Other text is returned as it is."""
    if name.startswith("quantity:"):
        return name.removeprefix("quantity:")
    if not re.fullmatch(r"[a-z]+([A-Z][a-z]*)*", name):
        return name
    return "SKU" if name == "sku" else label(name).capitalize()


def customer_label(code: str, kind: str) -> str:
    """Return the label of a status for customers; `kind` is order, parcel or payment."""
    return _CUSTOMER_LABELS[kind].get(code) or label(code)


def sentence(subject: Json) -> str:
    """Describe the status or the reason of an order or a fulfillment to the customer."""
    status, reason = subject["status"], subject.get("reason")
    if reason:
        return _REASONS.get(reason, label(reason))
    return _SENTENCES.get(status, label(status).capitalize())


def order_sentence(order: Json, timeline: Sequence[Json]) -> str:
    """Describe the status of an order to the customer, considering its timeline."""
    types = {step["type"] for step in timeline}
    if not order.get("completedAt") and not order.get("reason") and "order.cancelRequested" in types:
        return _CANCELLING
    asked = order["status"] == "customerActionRequired" and "order.amended" not in types
    # The customer can only cancel an order of which no item is in stock.
    return _NOTHING_IN_STOCK if asked and order["actions"] == ["cancel"] else sentence(order)
