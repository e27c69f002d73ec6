"""Logs each step of an order once, in the process that wrote it, and each failed try with the time of the next one.

These are the lines that a person follows on the console. They name the order and never the customer.
"""

import re

from services.common.logs import get_logger
from services.common.storage.lru_cache import LruCache
from services.orderprocessing.domain.order import Order, Step
from services.orderprocessing.workflows.policies import BUSINESS, pause_before_retry

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
_tries = LruCache[int]()


def log_new_steps(before: int, order: Order) -> None:
    """Log what was added to an order's timeline behind its first `before` steps."""
    for step in order.timeline[before:]:
        if step.type in _MILESTONES:
            fields = {"milestone": step.type, "orderId": order.id, "fulfillmentId": step.fulfillment_id}
            log.info("order %s: %s", order.id, _words(order, step), extra=fields)


def _words(order: Order, step: Step) -> str:
    words = _MILESTONES[step.type]
    if step.type == "order.reserved" and not any(one.location for one in order.fulfillments or []):
        words = "nothing to reserve"
    if step.type in _WITH_MESSAGE:
        words += f" ({step.message})"
    if step.type in _ENDS and order.reason:
        words += f" ({_in_words(order.reason.value)})"
    parts = [one.id for one in order.fulfillments or [] if one.location]
    if step.fulfillment_id in parts and len(parts) > 1:
        words += f", part {parts.index(step.fulfillment_id) + 1} of {len(parts)}"
    return words


def _in_words(name: str) -> str:
    """Return `paymentDeclined` as `payment declined`."""
    return re.sub("[A-Z]", lambda letter: f" {letter.group().lower()}", name)


def log_retried_soon(activity: str, order_id: str, error: Exception) -> None:
    """Log that a step with a deadline did not succeed; the workflow tries it again until then."""
    log.warning("%s; trying again within %g s", _failure(activity, order_id, error), BUSINESS.longest)


def log_retry(activity: str, order_id: str, subject: str, error: Exception) -> None:
    """Log that an activity did not succeed, and after which pause the engine tries it again.

    The engine does not tell how often it has tried: what is counted here begins anew with the process.
    """
    key = f"{activity} {subject}"
    tries = _tries.put(key, (_tries.get(key) or 0) + 1)
    log.warning("%s; trying again in %g s", _failure(activity, order_id, error), pause_before_retry(tries))


def forget_tries(activity: str, subject: str) -> None:
    """Begin to count anew, once an activity has succeeded."""
    _tries.drop(f"{activity} {subject}")


def _failure(activity: str, order_id: str, error: Exception) -> str:
    return f"could not {_ACTIVITIES.get(activity, 'go on with')} order {order_id} ({error})"
