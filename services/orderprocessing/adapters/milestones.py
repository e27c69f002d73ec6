"""Logs every step of an order once, in the process that records it, and every failed try with the pause after it.

These log lines are meant for people at the console. They name the order and never the customer.
"""

import re

from services.common.logs import get_logger
from services.orderprocessing.domain.order import Order, Step
from services.orderprocessing.workflows.policies import BUSINESS, EVERY_ACTIVITY

log = get_logger(__name__)

_MILESTONES = {
    "order.received": "received",
    "order.reserved": "reserved",
    "order.customerActionRequired": "customer action required",
    "order.amended": "amended",
    "order.approvalRequired": "approval required",
    "order.approved": "approved",
    "order.rejected": "rejected",
    "order.cancelRequested": "cancellation requested",
    "payment.succeeded": "charged",
    "payment.failed": "not charged",
    "payment.refunded": "refunded",
    "shipment.booked": "booked",
    "shipment.failed": "not booked",
    "shipment.dispatched": "dispatched",
    "shipment.delivered": "delivered",
    "fulfillment.cancelled": "not delivered",
    "fulfillment.failed": "not delivered",
    "order.completed": "completed",
    "order.cancelled": "cancelled",
    "order.failed": "failed",
    "order.timedOut": "timed out",
}
_WITH_MESSAGE = {"order.customerActionRequired", "payment.failed", "shipment.failed", "fulfillment.cancelled"}
_ENDS = {"order.cancelled", "order.failed", "order.timedOut"}

_ACTIVITIES = {
    "reserve": "reserve stock for",
    "charge": "charge",
    "book": "book the courier for",
    "release": "release the stock of",
    "release_order": "release the stock of",
    "refund": "refund",
    "cancel_booking": "cancel the courier of",
}


def log_new_steps(before: int, order: Order) -> None:
    """Log the steps of an order's timeline after the first `before` ones."""
    for step in order.timeline[before:]:
        if step.type in _MILESTONES:
            fields = {"milestone": step.type, "orderId": order.id, "fulfillmentId": step.fulfillment_id}
            log.info("order %s: %s", order.id, _describe(order, step), extra=fields)


def _describe(order: Order, step: Step) -> str:
    text = _MILESTONES[step.type]
    if step.type == "order.reserved" and not any(part.location for part in order.fulfillments or []):
        text = "nothing to reserve"
    if step.type in _WITH_MESSAGE:
        text += f" ({step.message})"
    if step.type in _ENDS and order.reason:
        text += f" ({_in_words(order.reason.value)})"
    parts = [part.id for part in order.fulfillments or [] if part.location]
    if step.fulfillment_id in parts and len(parts) > 1:
        text += f", part {parts.index(step.fulfillment_id) + 1} of {len(parts)}"
    return text


def _in_words(name: str) -> str:
    """Return `paymentDeclined` as `payment declined`."""
    return re.sub("[A-Z]", lambda letter: f" {letter.group().lower()}", name)


def log_retried_soon(activity: str, order_id: str, error: Exception) -> None:
    """Log that a step with a timeout failed; the workflow tries it again until then."""
    log.warning("%s; trying again within %g s", _failure(activity, order_id, error), BUSINESS.longest)


def log_retry(activity: str, order_id: str, tries: int, error: Exception) -> None:
    """Log that an activity failed for the `tries`th time, and the pause after which the engine tries it again."""
    log.warning("%s; trying again in %g s", _failure(activity, order_id, error), EVERY_ACTIVITY.pause(tries))


def _failure(activity: str, order_id: str, error: Exception) -> str:
    return f"could not {_ACTIVITIES.get(activity, 'continue')} order {order_id} ({error})"
