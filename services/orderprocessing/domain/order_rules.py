"""The rules of an order: pure functions that return the changed order.

Each gets the time as text and returns the same object where there is nothing to do, so all of them may be repeated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.common.clock import moment, rfc3339
from services.common.errors import NotAllowedError
from services.common.states import FulfillmentStatus, OrderStatus, Reason, check_move, is_final
from services.orderprocessing.domain.fulfillment_rules import closed, replace
from services.orderprocessing.domain.order import (
    Approval,
    Ending,
    Fulfillment,
    JsonObject,
    Line,
    Order,
    Payment,
    Shipment,
)
from services.orderprocessing.domain.timeline import CANCEL_REQUESTED, CUSTOMER, note


@dataclass(frozen=True)
class Policy:
    """The shop's settings: durations in seconds, the threshold in minor units."""

    action_timeout: float
    approval_timeout: float
    approval_threshold: int


@dataclass(frozen=True)
class Allotment:
    """The stock that a warehouse has reserved for an order; without a location the items are out of stock."""

    id: str
    location: str | None
    items: Sequence[tuple[str, int]]


def reserved(order: Order, allotments: Sequence[Allotment], policy: Policy, now: str) -> Order:
    """Record the reserved stock and take the next step."""
    if order.fulfillments is not None:
        return order
    prices = {line.sku: line.unit_price for line in order.items}
    fulfillments = [_fulfillment(allotment, prices, now) for allotment in allotments]
    locations = ", ".join(part.location for part in fulfillments if part.location) or "nowhere"
    order = order.model_copy(update={"fulfillments": fulfillments})
    order = note(order, now, "order.reserved", f"Stock reserved in: {locations}")
    return _next(order, policy, now)


def _fulfillment(allotment: Allotment, prices: dict[str, int], now: str) -> Fulfillment:
    lines = [Line(sku=sku, quantity=quantity, unit_price=prices[sku]) for sku, quantity in allotment.items]
    if allotment.location is None:
        return Fulfillment(id=allotment.id, location=None, status=FulfillmentStatus.UNAVAILABLE, items=lines)
    return Fulfillment(
        id=allotment.id,
        location=allotment.location,
        status=FulfillmentStatus.PENDING,
        items=lines,
        payment=Payment(),
        shipment=Shipment(id=allotment.id, updated_at=now),
    )


def advance(order: Order, policy: Policy, now: str) -> Order:
    """Apply the decision of the customer or the approver, or their timeout, and take the next step."""
    if order.ending or order.status == OrderStatus.PROCESSING or is_final(order.status):
        return order
    if order.cancel:
        return _end(order, OrderStatus.CANCELLED, Reason.CUSTOMER_CANCELLED)
    expired = order.deadline is not None and now >= order.deadline
    if order.status == OrderStatus.CUSTOMER_ACTION_REQUIRED and (order.amend or expired):
        if order.amend:
            return _next(_drop_unavailable(order, now), policy, now)
        return _end(order, OrderStatus.TIMED_OUT, Reason.CUSTOMER_TIMED_OUT)
    if order.status == OrderStatus.APPROVAL_REQUIRED and (order.approval or expired):
        return _apply_approval(order, policy, now)
    return _within_timeout(order, policy, now)


def _within_timeout(order: Order, policy: Policy, now: str) -> Order:
    """Set the deadline again if the clock was set back since it was set, so that it is at most one timeout away."""
    if order.deadline is None or order.updated_at <= now:
        return order
    asks_customer = order.status == OrderStatus.CUSTOMER_ACTION_REQUIRED
    deadline = _after(now, policy.action_timeout if asks_customer else policy.approval_timeout)
    if order.deadline <= deadline:
        return order
    return order.model_copy(update={"deadline": deadline, "updated_at": now, "rev": order.rev + 1})


def _apply_approval(order: Order, policy: Policy, now: str) -> Order:
    if order.approval and order.approval.approved:
        return _next(order, policy, now)
    return _end(order, OrderStatus.CANCELLED, Reason.APPROVAL_REJECTED if order.approval else Reason.APPROVAL_EXPIRED)


def _end(order: Order, status: OrderStatus, reason: Reason) -> Order:
    check_move(order.status, status)
    return order.model_copy(update={"ending": Ending(status=status, reason=reason), "rev": order.rev + 1})


def _drop_unavailable(order: Order, now: str) -> Order:
    for part in order.fulfillments or []:
        if part.status == FulfillmentStatus.UNAVAILABLE:
            order = _cancel(order, part, Reason.NOT_AVAILABLE, "Dropped: out of stock", now)
    return order


def _cancel(order: Order, part: Fulfillment, reason: Reason | None, message: str, now: str) -> Order:
    order = replace(order, closed(part, FulfillmentStatus.CANCELLED, reason, now))
    return note(order, now, "fulfillment.cancelled", message, fulfillment_id=part.id)


def _next(order: Order, policy: Policy, now: str) -> Order:
    """Take the next step after a reservation, an amendment or an approval."""
    if order.cancel:
        return _end(order, OrderStatus.CANCELLED, Reason.CUSTOMER_CANCELLED)
    statuses = {part.status for part in order.fulfillments or []}
    if FulfillmentStatus.UNAVAILABLE in statuses:
        message = "Not everything is in stock: amend or cancel" if can_amend(order) else "Nothing is in stock: cancel"
        return _wait(order, OrderStatus.CUSTOMER_ACTION_REQUIRED, policy.action_timeout, message, now)
    if remaining_goods(order) >= policy.approval_threshold and order.approval is None:
        message = "The order needs an approval"
        return _wait(order, OrderStatus.APPROVAL_REQUIRED, policy.approval_timeout, message, now)
    for part in order.fulfillments or []:
        if part.status == FulfillmentStatus.PENDING:
            check_move(part.status, FulfillmentStatus.PROCESSING)
            order = replace(order, part.model_copy(update={"status": FulfillmentStatus.PROCESSING}))
    return _move(order, OrderStatus.PROCESSING, "Charging and shipping", now)


def _wait(order: Order, status: OrderStatus, seconds: float, message: str, now: str) -> Order:
    return _move(order, status, message, now).model_copy(update={"deadline": _after(now, seconds)})


def _after(now: str, seconds: float) -> str:
    return rfc3339(moment(now) + timedelta(seconds=seconds))


def _move(order: Order, status: OrderStatus, message: str, now: str) -> Order:
    check_move(order.status, status)
    order = order.model_copy(update={"status": status, "deadline": None})
    return note(order, now, f"order.{status.value}", message)


def remaining_goods(order: Order) -> int:
    """Return the price of the goods of all fulfillments that are not cancelled, in minor units."""
    return sum(part.goods for part in order.fulfillments or [] if part.status != FulfillmentStatus.CANCELLED)


def can_amend(order: Order) -> bool:
    """Return whether anything is in stock, so that an amended order would not be empty."""
    return any(part.location for part in order.fulfillments or [])


def _nothing_has_left(order: Order) -> bool:
    return not any(part.shipment and part.shipment.has_left for part in order.fulfillments or [])


def actions(order: Order) -> list[str]:
    """Return the actions that the customer may take now."""
    if order.cancel or order.ending or is_final(order.status) or not _nothing_has_left(order):
        return []
    if order.status == OrderStatus.CUSTOMER_ACTION_REQUIRED and can_amend(order) and not order.amend:
        return ["amend", "cancel"]
    return ["cancel"]


def act(order: Order, action: str, now: str) -> Order:
    """Apply the customer's decision; a repetition while it is being carried out changes nothing.

    Raises NotAllowedError.
    """
    amending = order.amend and order.status == OrderStatus.CUSTOMER_ACTION_REQUIRED
    cancelling = order.cancel and not is_final(order.status)
    if (action == "amend" and amending and not order.cancel) or (action == "cancel" and cancelling):
        return order
    if action not in actions(order):
        raise NotAllowedError("notAllowed", f"{action} is not possible now: the order is {order.status.value}")
    if action == "amend":
        order = order.model_copy(update={"amend": True})
        return note(order, now, "order.amended", "The customer goes on without what is missing", actor=CUSTOMER)
    order = order.model_copy(update={"cancel": True})
    return note(order, now, CANCEL_REQUESTED, "The customer cancels", actor=CUSTOMER)


def approve(order: Order, approver: str, approved: bool, now: str) -> Order:
    """Apply the approver's decision; a repeated decision changes nothing. Raises NotAllowedError."""
    decision = Approval(approver=approver, approved=approved)
    waiting = order.status == OrderStatus.APPROVAL_REQUIRED and not (order.cancel or order.ending)
    if not waiting or order.approval not in (None, decision):
        raise NotAllowedError("notAllowed", "the order waits for no approval")
    if order.approval == decision:
        return order
    order = order.model_copy(update={"approval": decision})
    kind, message = ("order.approved", "Approved") if approved else ("order.rejected", "Rejected")
    return note(order, now, kind, message, actor=approver)


def finish(order: Order, now: str) -> Order:
    """Set the order's final status, after everything has been delivered or undone."""
    if is_final(order.status):
        return order
    status, reason = _outcome(order)
    for part in order.fulfillments or []:
        if not is_final(part.status):
            order = _cancel(order, part, reason, "Cancelled with the order", now)
    order = order.model_copy(update={"reason": reason, "completed_at": now, "pending_signals": {}})
    return _move(order, status, _FINAL_MESSAGES[status], now)


def finish_with_last(order: Order, now: str) -> Order:
    """Set the order's final status if every fulfillment is complete; otherwise return the order unchanged.

    A pending signal keeps the order open, because signals of a final order are not repeated.
    """
    open_parts = [part for part in order.fulfillments or [] if not is_final(part.status) or not _handed_over(part)]
    return order if open_parts or order.pending_signals or order.ending else finish(order, now)


def _handed_over(part: Fulfillment) -> bool:
    return part.shipment is None or not part.shipment.has_left or part.shipment.handed_over


_FINAL_MESSAGES = {
    OrderStatus.COMPLETED: "Everything that could be delivered is delivered",
    OrderStatus.FAILED: "Nothing could be delivered",
    OrderStatus.CANCELLED: "Cancelled",
    OrderStatus.TIMED_OUT: "Nobody answered in time",
}


def _outcome(order: Order) -> tuple[OrderStatus, Reason | None]:
    if order.ending:
        return order.ending.status, order.ending.reason
    fulfillments = order.fulfillments or []
    if any(part.status == FulfillmentStatus.COMPLETED for part in fulfillments):
        return OrderStatus.COMPLETED, None
    if order.cancel:
        return OrderStatus.CANCELLED, Reason.CUSTOMER_CANCELLED
    reasons = [part.reason for part in fulfillments if part.status == FulfillmentStatus.FAILED]
    return OrderStatus.FAILED, reasons[0] if reasons else None


def summary(order: Order) -> JsonObject:
    """Return the summary of an order for lists, without its id."""
    return {
        "status": order.status.value,
        "receivedAt": order.received_at,
        "customerId": order.customer_id,
        "goodsTotal": order.goods_total,
    }
