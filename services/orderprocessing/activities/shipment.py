"""The steps of a fulfillment's shipment, and of giving it back."""

from services.common.dapr.sidecar import RefusedError, TransientError
from services.orderprocessing.activities.dependencies import Tools
from services.orderprocessing.adapters.milestones import log_retried_soon
from services.orderprocessing.domain import fulfillment_rules, order_rules
from services.orderprocessing.domain.fulfillment_rules import Outcome, undo_scope
from services.orderprocessing.domain.ids import charge_workflow_id, shipment_workflow_id
from services.orderprocessing.domain.order import Fulfillment, Order
from services.orderprocessing.domain.states import ShipmentStatus, is_final
from services.orderprocessing.workflows.contracts import FulfillmentProgress, FulfillmentStep, Nothing


def book(tools: Tools, request: FulfillmentStep) -> FulfillmentProgress:
    """Book the courier for a fulfillment."""
    order = tools.orders.require(request.order_id)
    one, _, shipment = fulfillment_rules.find(order, request.fulfillment_id)
    if shipment.has_left:  # a lost workflow was started anew
        return follow_courier(tools, request)
    if shipment.status == ShipmentStatus.PENDING and not order.cancel:
        place = tools.orders.list_shipment(order, one)
        failure, reference = _try_to_book(tools, order, one)
        order = tools.change(
            order.id, lambda current, now: fulfillment_rules.booked(current, one.id, place, reference, now)
        )
        if failure is not None:
            return FulfillmentProgress(outcome=failure)
    else:
        # Perhaps the try before this one has written the record and then died: the lists follow the record.
        order = tools.change(order.id, lambda current, _now: current)
    return _progress(tools, request, order)


def _try_to_book(tools: Tools, order: Order, one: Fulfillment) -> tuple[Outcome | None, str | None]:
    try:
        reference = tools.shipping.book(order.id, one)
    except (TransientError, RefusedError) as error:
        log_retried_soon("book", order.id, error)
        return Outcome.UNAVAILABLE, None
    # Called off already: only an undo does that, and there is none without a cancellation.
    return (None, reference) if reference else (Outcome.CANCELLED, None)


def give_up_booking(tools: Tools, request: FulfillmentStep) -> FulfillmentProgress:
    """Record that no courier could be booked in time."""
    order = tools.change(
        request.order_id, lambda current, now: fulfillment_rules.not_booked(current, request.fulfillment_id, now)
    )
    return _progress(tools, request, order)


def follow_courier(tools: Tools, request: FulfillmentStep) -> FulfillmentProgress:
    """Do what the courier's reports in the record ask for: hand the stock over, announce, see the end."""
    order, fulfillment_id = tools.orders.require(request.order_id), request.fulfillment_id
    _, _, shipment = fulfillment_rules.find(order, fulfillment_id)
    has_left = shipment.has_left
    if has_left and not shipment.handed_over:
        tools.inventory.commit(order.id, fulfillment_id)

    def seen(current: Order, now: str) -> Order:
        if _has_left(current, fulfillment_id) and not has_left:
            return current  # Reported this moment: the stock is handed over first.
        return order_rules.finish_with_last(fulfillment_rules.handed_over(current, fulfillment_id), now)

    order = tools.change(order.id, seen)
    if _has_left(order, fulfillment_id) != has_left:
        return follow_courier(tools, request)
    return _progress(tools, request, order)


def _has_left(order: Order, fulfillment_id: str) -> bool:
    _, _, shipment = fulfillment_rules.find(order, fulfillment_id)
    return shipment.has_left


def _progress(tools: Tools, request: FulfillmentStep, order: Order) -> FulfillmentProgress:
    announced = tools.announce_with_end(order, shipment_workflow_id(request.fulfillment_id), request.announced)
    one, _, shipment = fulfillment_rules.find(order, request.fulfillment_id)
    if shipment.status == ShipmentStatus.DELIVERED and shipment.handed_over:
        outcome = Outcome.DONE
    elif one.reason is not None:
        outcome = Outcome.FAILED
    elif shipment.status == ShipmentStatus.CANCELLED or order.cancel:
        tools.announce_cancellation(order)
        outcome = Outcome.CANCELLED
    else:
        outcome = Outcome.WAITING
    return FulfillmentProgress(outcome=outcome, announced=announced, order_ended=is_final(order.status))


def cancel_booking(tools: Tools, request: FulfillmentStep) -> Nothing:
    """Call the courier off, or forbid the booking if it never came."""
    tools.shipping.cancel(request.fulfillment_id)
    return Nothing()


def release(tools: Tools, request: FulfillmentStep) -> Nothing:
    """Give the reserved stock back."""
    tools.inventory.release(request.order_id, request.fulfillment_id)
    return Nothing()


def close(tools: Tools, request: FulfillmentStep) -> Nothing:
    """End a fulfillment that everything was given back of, and announce what nobody else will."""
    order, fulfillment_id = tools.orders.require(request.order_id), request.fulfillment_id
    one, _, _ = fulfillment_rules.find(order, fulfillment_id)
    # A booking that died after it had listed the shipment has left a line, which is to be closed like any other.
    place = tools.orders.list_shipment(order, one)
    order = tools.change(
        order.id,
        lambda current, now: fulfillment_rules.given_back(
            fulfillment_rules.listed(current, fulfillment_id, place), fulfillment_id, now
        ),
    )
    # Also what a try came to write that was given up long ago: nobody else is left to announce it.
    for scope in (charge_workflow_id(one.id), shipment_workflow_id(one.id), undo_scope(one.id)):
        tools.announce(order, scope, request.announced)
    return Nothing()
