"""The steps of a fulfillment's shipment, and of giving it back."""

from services.common.dapr.sidecar import TransientError
from services.orderprocessing.activities.dependencies import Dependencies
from services.orderprocessing.adapters.milestones import log_retried_soon
from services.orderprocessing.domain import fulfillment_rules, order_rules
from services.orderprocessing.domain.fulfillment_rules import Outcome, undo_scope
from services.orderprocessing.domain.ids import charge_workflow_id, shipment_workflow_id
from services.orderprocessing.domain.order import Fulfillment, Order
from services.orderprocessing.domain.states import ShipmentStatus, is_final
from services.orderprocessing.workflows.contracts import Empty, FulfillmentProgress, FulfillmentStep


def book(deps: Dependencies, request: FulfillmentStep) -> FulfillmentProgress:
    """Book the courier for a fulfillment."""
    order = deps.orders.require(request.order_id)
    one, _, shipment = fulfillment_rules.find(order, request.fulfillment_id)
    if shipment.has_left:  # a lost workflow was started anew
        return follow_courier(deps, request)
    if shipment.status == ShipmentStatus.PENDING and not order.cancel:
        entry_location = deps.orders.list_shipment(order, one)
        failure, reference = _try_to_book(deps, order, one)
        order = deps.change(
            order.id, lambda current, now: fulfillment_rules.booked(current, one.id, entry_location, reference, now)
        )
        if failure is not None:
            return FulfillmentProgress(outcome=failure)
    else:
        # Perhaps the try before this one has written the record and then died: the lists follow the record.
        order = deps.change(order.id, lambda current, _now: current)
    return _progress(deps, request, order)


def _try_to_book(deps: Dependencies, order: Order, one: Fulfillment) -> tuple[Outcome | None, str | None]:
    try:
        reference = deps.shipping.book(order.id, one)
    except TransientError as error:
        log_retried_soon("book", order.id, error)
        return Outcome.UNAVAILABLE, None
    # Called off already: only an undo does that, and there is none without a cancellation.
    return (None, reference) if reference else (Outcome.CANCELLED, None)


def give_up_booking(deps: Dependencies, request: FulfillmentStep) -> FulfillmentProgress:
    """Record that no courier could be booked in time."""
    order = deps.change(
        request.order_id, lambda current, now: fulfillment_rules.not_booked(current, request.fulfillment_id, now)
    )
    return _progress(deps, request, order)


def follow_courier(deps: Dependencies, request: FulfillmentStep) -> FulfillmentProgress:
    """Do what the courier's reports in the record ask for: hand the stock over, announce, see the end."""
    order, fulfillment_id = deps.orders.require(request.order_id), request.fulfillment_id
    _, _, shipment = fulfillment_rules.find(order, fulfillment_id)
    has_left = shipment.has_left
    if has_left and not shipment.handed_over:
        deps.inventory.commit(order.id, fulfillment_id)

    def seen(current: Order, now: str) -> Order:
        if _has_left(current, fulfillment_id) and not has_left:
            return current  # Reported this moment: the stock is handed over first.
        return order_rules.finish_with_last(fulfillment_rules.handed_over(current, fulfillment_id), now)

    order = deps.change(order.id, seen)
    if _has_left(order, fulfillment_id) != has_left:
        return follow_courier(deps, request)
    return _progress(deps, request, order)


def _has_left(order: Order, fulfillment_id: str) -> bool:
    _, _, shipment = fulfillment_rules.find(order, fulfillment_id)
    return shipment.has_left


def _progress(deps: Dependencies, request: FulfillmentStep, order: Order) -> FulfillmentProgress:
    announced = deps.announce_with_end(order, shipment_workflow_id(request.fulfillment_id), request.announced)
    one, _, shipment = fulfillment_rules.find(order, request.fulfillment_id)
    if shipment.status == ShipmentStatus.DELIVERED and shipment.handed_over:
        outcome = Outcome.DONE
    elif one.reason is not None:
        outcome = Outcome.FAILED
    elif shipment.status == ShipmentStatus.CANCELLED or order.cancel:
        deps.announce_cancellation(order)
        outcome = Outcome.CANCELLED
    else:
        outcome = Outcome.WAITING
    return FulfillmentProgress(outcome=outcome, announced=announced, order_ended=is_final(order.status))


def cancel_booking(deps: Dependencies, request: FulfillmentStep) -> Empty:
    """Call the courier off, or forbid the booking if it never came."""
    deps.shipping.cancel(request.fulfillment_id)
    return Empty()


def release(deps: Dependencies, request: FulfillmentStep) -> Empty:
    """Give the reserved stock back."""
    deps.inventory.release(request.order_id, request.fulfillment_id)
    return Empty()


def close(deps: Dependencies, request: FulfillmentStep) -> Empty:
    """End a fulfillment that everything was given back of, and announce what nobody else will."""
    order, fulfillment_id = deps.orders.require(request.order_id), request.fulfillment_id
    one, _, _ = fulfillment_rules.find(order, fulfillment_id)
    # A booking that died after it had listed the shipment has left a line, which is to be closed like any other.
    entry_location = deps.orders.list_shipment(order, one)
    order = deps.change(
        order.id,
        lambda current, now: fulfillment_rules.given_back(
            fulfillment_rules.listed(current, fulfillment_id, entry_location), fulfillment_id, now
        ),
    )
    # Also what a try came to write that was given up long ago: nobody else is left to announce it.
    for scope in (charge_workflow_id(one.id), shipment_workflow_id(one.id), undo_scope(one.id)):
        deps.announce(order, scope, request.announced)
    return Empty()
