"""What may happen to an order, and what follows: pure functions from an order to the order after it.

Each is given the time as text, decides by the order as it is, and returns the very same order when there is nothing
(left) to do, so that all of them may be repeated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.common.clock import moment, rfc3339
from services.common.errors import NotAllowedError
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
from services.orderprocessing.domain.states import FulfillmentStatus, OrderStatus, Reason, check_move, is_final
from services.orderprocessing.domain.timeline import CANCEL_REQUESTED, CUSTOMER, note


@dataclass(frozen=True)
class Policy:
    """The shop's rules: durations in seconds, the threshold in minor units."""

    action_timeout: float
    approval_timeout: float
    approval_threshold: int


@dataclass(frozen=True)
class Allotment:
    """What a warehouse keeps for an order; no location means that nobody has these."""

    id: str
    location: str | None
    items: Sequence[tuple[str, int]]


def reserved(order: Order, allotments: Sequence[Allotment], policy: Policy, now: str) -> Order:
    """Record what the warehouses keep for the order and take the next step."""
    if order.fulfillments is not None:
        return order
    prices = {line.sku: line.unit_price for line in order.items}
    fulfillments = [_fulfillment(one, prices, now) for one in allotments]
    places = ", ".join(one.location for one in fulfillments if one.location) or "nowhere"
    order = order.model_copy(update={"fulfillments": fulfillments})
    order = note(order, now, "order.reserved", f"Stock reserved in: {places}")
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
    """Take the customer's or the approver's answer, or the end of their time, and the next step."""
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
        return _approved_or_not(order, policy, now)
    return order


def _approved_or_not(order: Order, policy: Policy, now: str) -> Order:
    if order.approval and order.approval.approved:
        return _next(order, policy, now)
    return _end(order, OrderStatus.CANCELLED, Reason.APPROVAL_REJECTED if order.approval else Reason.APPROVAL_EXPIRED)


def _end(order: Order, status: OrderStatus, reason: Reason) -> Order:
    check_move(order.status, status)
    return order.model_copy(update={"ending": Ending(status=status, reason=reason), "rev": order.rev + 1})


def _drop_unavailable(order: Order, now: str) -> Order:
    for one in order.fulfillments or []:
        if one.status == FulfillmentStatus.UNAVAILABLE:
            order = _cancel(order, one, Reason.NOT_AVAILABLE, "Dropped: no warehouse has these", now)
    return order


def _cancel(order: Order, one: Fulfillment, reason: Reason | None, message: str, now: str) -> Order:
    order = replace(order, closed(one, FulfillmentStatus.CANCELLED, reason, now))
    return note(order, now, "fulfillment.cancelled", message, fulfillment_id=one.id)


def _next(order: Order, policy: Policy, now: str) -> Order:
    """Decide what comes after reserving, amending or approving."""
    if order.cancel:
        return _end(order, OrderStatus.CANCELLED, Reason.CUSTOMER_CANCELLED)
    statuses = {one.status for one in order.fulfillments or []}
    if FulfillmentStatus.UNAVAILABLE in statuses:
        message = "Not everything is in stock: amend or cancel" if can_amend(order) else "Nothing is in stock: cancel"
        return _wait(order, OrderStatus.CUSTOMER_ACTION_REQUIRED, policy.action_timeout, message, now)
    if remaining_goods(order) >= policy.approval_threshold and order.approval is None:
        message = "The order needs an approval"
        return _wait(order, OrderStatus.APPROVAL_REQUIRED, policy.approval_timeout, message, now)
    for one in order.fulfillments or []:
        if one.status == FulfillmentStatus.PENDING:
            check_move(one.status, FulfillmentStatus.PROCESSING)
            order = replace(order, one.model_copy(update={"status": FulfillmentStatus.PROCESSING}))
    return _move(order, OrderStatus.PROCESSING, "Charging and shipping", now)


def _wait(order: Order, status: OrderStatus, seconds: float, message: str, now: str) -> Order:
    deadline = rfc3339(moment(now) + timedelta(seconds=seconds))
    return _move(order, status, message, now).model_copy(update={"deadline": deadline})


def _move(order: Order, status: OrderStatus, message: str, now: str) -> Order:
    check_move(order.status, status)
    order = order.model_copy(update={"status": status, "deadline": None})
    return note(order, now, f"order.{status.value}", message)


def remaining_goods(order: Order) -> int:
    """Return the price of the goods of all fulfillments that are not cancelled, in minor units."""
    return sum(one.goods for one in order.fulfillments or [] if one.status != FulfillmentStatus.CANCELLED)


def can_amend(order: Order) -> bool:
    """Tell whether anything would remain without what is unavailable."""
    return any(one.location for one in order.fulfillments or [])


def _nothing_has_left(order: Order) -> bool:
    return not any(one.shipment and one.shipment.has_left for one in order.fulfillments or [])


def actions(order: Order) -> list[str]:
    """Return what the customer may do now."""
    if order.cancel or order.ending or is_final(order.status) or not _nothing_has_left(order):
        return []
    if order.status == OrderStatus.CUSTOMER_ACTION_REQUIRED and can_amend(order) and not order.amend:
        return ["amend", "cancel"]
    return ["cancel"]


def act(order: Order, action: str, now: str) -> Order:
    """Take the customer's decision; the same again, while it is being carried out, changes nothing.

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
    """Take the approver's decision; the same decision again changes nothing. Raises NotAllowedError."""
    decision = Approval(approver=approver, approved=approved)
    waiting = order.status == OrderStatus.APPROVAL_REQUIRED and not (order.cancel or order.ending)
    if not waiting or order.approval not in (None, decision):
        raise NotAllowedError("notAllowed", "the order waits for no approval")
    if order.approval == decision:
        return order
    order = order.model_copy(update={"approval": decision})
    kind, word = ("order.approved", "Approved") if approved else ("order.rejected", "Rejected")
    return note(order, now, kind, word, actor=approver)


def finish(order: Order, now: str) -> Order:
    """Give the order its final status, once everything is delivered or given back."""
    if is_final(order.status):
        return order
    status, reason = _outcome(order)
    for one in order.fulfillments or []:
        if not is_final(one.status):
            order = _cancel(order, one, reason, "Cancelled with the order", now)
    order = order.model_copy(update={"reason": reason, "completed_at": now, "pending_signals": {}})
    return _move(order, status, _FAREWELLS[status], now)


def finish_with_last(order: Order, now: str) -> Order:
    """Give the order its final status if nothing is left to be done for any part of it; else the order as it is.

    A workflow that has not heard its signal yet is such a part: of an order that is over nobody rings it again.
    """
    left = [one for one in order.fulfillments or [] if not is_final(one.status) or not _handed_over(one)]
    return order if left or order.pending_signals or order.ending else finish(order, now)


def _handed_over(one: Fulfillment) -> bool:
    return one.shipment is None or not one.shipment.has_left or one.shipment.handed_over


_FAREWELLS = {
    OrderStatus.COMPLETED: "Everything that could be delivered is delivered",
    OrderStatus.FAILED: "Nothing could be delivered",
    OrderStatus.CANCELLED: "Cancelled",
    OrderStatus.TIMED_OUT: "Nobody answered in time",
}


def _outcome(order: Order) -> tuple[OrderStatus, Reason | None]:
    if order.ending:
        return order.ending.status, order.ending.reason
    fulfillments = order.fulfillments or []
    if any(one.status == FulfillmentStatus.COMPLETED for one in fulfillments):
        return OrderStatus.COMPLETED, None
    if order.cancel:
        return OrderStatus.CANCELLED, Reason.CUSTOMER_CANCELLED
    reasons = [one.reason for one in fulfillments if one.status == FulfillmentStatus.FAILED]
    return OrderStatus.FAILED, reasons[0] if reasons else None


def summary(order: Order) -> JsonObject:
    """Return what lists show of an order, without its id."""
    return {
        "status": order.status.value,
        "receivedAt": order.received_at,
        "customerId": order.customer_id,
        "goodsTotal": order.goods_total,
    }
