"""Labels of statuses, reasons and fields. Pure."""

import re
from collections.abc import Mapping, Sequence

from services.common.json_models import Json
from services.common.states import FulfillmentStatus, OrderStatus, PaymentStatus, Reason, ShipmentStatus

_COLORS: Mapping[str, str] = {
    OrderStatus.COMPLETED: "success",
    ShipmentStatus.DELIVERED: "success",
    PaymentStatus.SUCCESS: "success",
    OrderStatus.PROCESSING: "primary",
    ShipmentStatus.DISPATCHED: "primary",
    ShipmentStatus.BOOKED: "info",
    OrderStatus.CUSTOMER_ACTION_REQUIRED: "warning",
    OrderStatus.APPROVAL_REQUIRED: "warning",
    OrderStatus.FAILED: "danger",
    FulfillmentStatus.UNAVAILABLE: "danger",
    "running": "primary",
    "lost": "danger",
}
_DEFAULT_COLOR = "secondary"

_SENTENCES: Mapping[str, str] = {
    OrderStatus.PENDING: "We have received your order and are reserving the goods.",
    OrderStatus.CUSTOMER_ACTION_REQUIRED: "Some items are out of stock. Tell us what to do with the rest.",
    OrderStatus.APPROVAL_REQUIRED: "We have to approve an order of this size first. You do not need to do anything.",
    OrderStatus.PROCESSING: "Your order is being paid for, packed and shipped.",
    OrderStatus.COMPLETED: "Everything that we could send has been delivered. Thank you!",
}

_REASONS: Mapping[str, str] = {
    Reason.CUSTOMER_CANCELLED: "You cancelled the order. Anything that you paid is refunded.",
    Reason.CUSTOMER_TIMED_OUT: "You did not answer in time about the missing items. Nothing was sent or charged.",
    Reason.NOT_AVAILABLE: "Out of stock.",
    Reason.APPROVAL_REJECTED: "Your order was not approved. Nothing was charged.",
    Reason.APPROVAL_EXPIRED: "Your order was not approved in time. Nothing was charged.",
    Reason.PAYMENT_DECLINED: "The payment was declined.",
    Reason.BILLING_UNAVAILABLE: "The payment could not be processed. You will not be charged; please order again.",
    Reason.SHIPPING_UNAVAILABLE: "No courier was available. Your payment was refunded.",
}

_CANCELLING = "Your order is being cancelled. What you have paid is being refunded."
_NOTHING_IN_STOCK = "All items are out of stock, so we cannot send you anything."

_CUSTOMER_LABELS: Mapping[str, Mapping[str, str]] = {
    "order": {
        OrderStatus.PENDING: "received",
        OrderStatus.CUSTOMER_ACTION_REQUIRED: "your answer is needed",
        OrderStatus.APPROVAL_REQUIRED: "waiting for approval",
    },
    "parcel": {FulfillmentStatus.PENDING: "reserved", FulfillmentStatus.UNAVAILABLE: "out of stock"},
    "payment": {
        PaymentStatus.PENDING: "not charged yet",
        PaymentStatus.SUCCESS: "paid",
        PaymentStatus.FAILED: "not paid",
        PaymentStatus.REFUNDED: "refunded",
    },
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
    asked = order["status"] == OrderStatus.CUSTOMER_ACTION_REQUIRED and "order.amended" not in types
    # The customer can only cancel an order of which no item is in stock.
    return _NOTHING_IN_STOCK if asked and order["actions"] == ["cancel"] else sentence(order)
