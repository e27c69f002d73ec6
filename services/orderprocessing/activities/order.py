"""Activities of the order as a whole."""

from collections.abc import Callable

from services.common import tracing
from services.common.dapr.sidecar import TransientError
from services.common.states import FulfillmentStatus, is_final
from services.orderprocessing.activities.dependencies import Dependencies
from services.orderprocessing.domain import order_rules
from services.orderprocessing.domain.ids import order_workflow_id
from services.orderprocessing.domain.order import ORDER_SCOPE, Order
from services.orderprocessing.domain.timeline import acknowledge, traced
from services.orderprocessing.workflows.contracts import Empty, OrderProgress, OrderStep


def reserve(deps: Dependencies, request: OrderStep) -> OrderProgress:
    """Publish the order, reserve its stock and decide the next step."""
    order = deps.orders.require(request.order_id)
    if order.fulfillments is None and not order.cancel:
        try:
            allotments = deps.inventory.reserve(order)
        except TransientError:
            # The order is published even while inventory is down.
            deps.announce(order, ORDER_SCOPE, request.announced)
            # The engine retries. The acknowledgement shows the reconciler that this workflow has started.
            deps.change(order.id, lambda current, _now: acknowledge(current, order_workflow_id(current.id)))
            raise
        return _apply(deps, request, lambda current, now: order_rules.reserved(current, allotments, deps.policy, now))
    # Cancelled before the reservation, or restarted by the reconciler: the record shows the progress.
    return advance(deps, request)


def advance(deps: Dependencies, request: OrderStep) -> OrderProgress:
    """Apply the decision of the customer or the approver, or their timeout, and decide the next step."""
    return _apply(deps, request, lambda current, now: order_rules.advance(current, deps.policy, now))


def _apply(deps: Dependencies, request: OrderStep, change: Callable[[Order, str], Order]) -> OrderProgress:
    order = deps.change(
        request.order_id,
        # Only here is it known which trace the engine uses for the workflow.
        lambda current, now: traced(
            acknowledge(change(current, now), order_workflow_id(current.id)), tracing.trace_id()
        ),
    )
    announced = deps.announce(order, ORDER_SCOPE, request.announced)
    continues = not order.ending and not is_final(order.status)
    # Only after a restart of a lost workflow have fulfillments ended already; what is left to do or publish follows.
    fulfillments = [part.id for part in order.fulfillments or [] if part.shipment and _is_processed(part.status)]
    return OrderProgress(
        announced=announced,
        deadline=order.deadline if continues else None,
        fulfillments=fulfillments if continues else [],
        ending=order.ending is not None,
    )


def _is_processed(status: FulfillmentStatus) -> bool:
    return status == FulfillmentStatus.PROCESSING or is_final(status)


def release_order(deps: Dependencies, request: OrderStep) -> Empty:
    """Release everything that is still reserved for the order."""
    deps.inventory.release(request.order_id)
    return Empty()


def finish(deps: Dependencies, request: OrderStep) -> Empty:
    """Set the order's final status and publish it."""
    order = deps.change(request.order_id, order_rules.finish)
    deps.announce(order, ORDER_SCOPE, request.announced)
    return Empty()
