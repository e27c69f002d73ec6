"""Activities of a fulfillment's shipment and of its undo."""

from services.common.dapr.sidecar import TransientError
from services.common.states import ShipmentStatus, is_final
from services.orderprocessing.activities.dependencies import Dependencies
from services.orderprocessing.adapters.milestones import log_retried_soon
from services.orderprocessing.domain import fulfillment_rules, order_rules
from services.orderprocessing.domain.fulfillment_rules import Outcome, undo_scope
from services.orderprocessing.domain.ids import charge_workflow_id, shipment_workflow_id
from services.orderprocessing.domain.order import Fulfillment, Order
from services.orderprocessing.workflows.contracts import Empty, FulfillmentProgress, FulfillmentStep


def book(deps: Dependencies, request: FulfillmentStep) -> FulfillmentProgress:
    """Book the courier for a fulfillment."""
    order = deps.orders.require(request.order_id)
    fulfillment, _, shipment = fulfillment_rules.find(order, request.fulfillment_id)
    if shipment.has_left:  # A lost workflow was restarted.
        return follow_courier(deps, request)
    if shipment.status == ShipmentStatus.PENDING and not order.cancel:
        entry_location = deps.orders.list_shipment(order, fulfillment)
        failure, reference = _try_to_book(deps, order, fulfillment)
        order = deps.change(
            order.id,
            lambda current, now: fulfillment_rules.booked(current, fulfillment.id, entry_location, reference, now),
        )
        if failure is not None:
            return FulfillmentProgress(outcome=failure)
    else:
        # The previous try may have died after it wrote the record: writing again updates the indexes.
        order = deps.change(order.id, lambda current, _now: current)
    return _progress(deps, request, order)


def _try_to_book(deps: Dependencies, order: Order, fulfillment: Fulfillment) -> tuple[Outcome | None, str | None]:
    try:
        reference = deps.shipping.book(order.id, fulfillment)
    except TransientError as error:
        log_retried_soon("book", order.id, error)
        return Outcome.UNAVAILABLE, None
    # Without a reference the booking was cancelled before. Only the undo of a cancelled order does that.
    return (None, reference) if reference else (Outcome.CANCELLED, None)


def give_up_booking(deps: Dependencies, request: FulfillmentStep) -> FulfillmentProgress:
    """Record that shipping was unavailable until the timeout."""
    order = deps.change(
        request.order_id, lambda current, now: fulfillment_rules.not_booked(current, request.fulfillment_id, now)
    )
    return _progress(deps, request, order)


def follow_courier(deps: Dependencies, request: FulfillmentStep) -> FulfillmentProgress:
    """Apply the courier's reports in the record: hand the stock over, publish, and end the order if it is complete."""
    order, fulfillment_id = deps.orders.require(request.order_id), request.fulfillment_id
    _, _, shipment = fulfillment_rules.find(order, fulfillment_id)
    has_left = shipment.has_left
    if has_left and not shipment.handed_over:
        deps.inventory.commit(order.id, fulfillment_id)

    def apply_report(current: Order, now: str) -> Order:
        if _has_left(current, fulfillment_id) and not has_left:
            return current  # Dispatched since it was read: the stock is handed over first.
        return order_rules.finish_with_last(fulfillment_rules.handed_over(current, fulfillment_id), now)

    order = deps.change(order.id, apply_report)
    if _has_left(order, fulfillment_id) != has_left:
        return follow_courier(deps, request)
    return _progress(deps, request, order)


def _has_left(order: Order, fulfillment_id: str) -> bool:
    _, _, shipment = fulfillment_rules.find(order, fulfillment_id)
    return shipment.has_left


def _progress(deps: Dependencies, request: FulfillmentStep, order: Order) -> FulfillmentProgress:
    announced = deps.announce_with_end(order, shipment_workflow_id(request.fulfillment_id), request.announced)
    fulfillment, _, shipment = fulfillment_rules.find(order, request.fulfillment_id)
    if shipment.status == ShipmentStatus.DELIVERED and shipment.handed_over:
        outcome = Outcome.DONE
    elif fulfillment.reason is not None:
        outcome = Outcome.FAILED
    elif shipment.status == ShipmentStatus.CANCELLED or order.cancel:
        deps.announce_cancellation(order)
        outcome = Outcome.CANCELLED
    else:
        outcome = Outcome.WAITING
    return FulfillmentProgress(outcome=outcome, announced=announced, order_ended=is_final(order.status))


def cancel_booking(deps: Dependencies, request: FulfillmentStep) -> Empty:
    """Cancel the courier's booking, or void it if it never arrived."""
    deps.shipping.cancel(request.fulfillment_id)
    return Empty()


def release(deps: Dependencies, request: FulfillmentStep) -> Empty:
    """Release the reserved stock."""
    deps.inventory.release(request.order_id, request.fulfillment_id)
    return Empty()


def close(deps: Dependencies, request: FulfillmentStep) -> Empty:
    """End a fulfillment after its undo, and publish all its remaining steps."""
    order, fulfillment_id = deps.orders.require(request.order_id), request.fulfillment_id
    fulfillment, _, _ = fulfillment_rules.find(order, fulfillment_id)
    # A booking that died after it had listed the shipment has left an index entry, which must be closed too.
    entry_location = deps.orders.list_shipment(order, fulfillment)
    order = deps.change(
        order.id,
        lambda current, now: fulfillment_rules.undone(
            fulfillment_rules.listed(current, fulfillment_id, entry_location), fulfillment_id, now
        ),
    )
    # This includes steps that a late try has recorded after its workflow gave up.
    for scope in (charge_workflow_id(fulfillment_id), shipment_workflow_id(fulfillment_id), undo_scope(fulfillment_id)):
        deps.announce(order, scope, request.announced)
    return Empty()
