"""The steps of an order as a whole."""

from collections.abc import Callable

from services.common import tracing
from services.common.dapr.sidecar import TransientError
from services.orderprocessing.activities.dependencies import Dependencies
from services.orderprocessing.domain import order_rules
from services.orderprocessing.domain.ids import order_workflow_id
from services.orderprocessing.domain.order import ORDER_SCOPE, Order
from services.orderprocessing.domain.states import FulfillmentStatus, is_final
from services.orderprocessing.domain.timeline import acknowledge, traced
from services.orderprocessing.workflows.contracts import Empty, OrderProgress, OrderStep


def reserve(deps: Dependencies, request: OrderStep) -> OrderProgress:
    """Announce the order, reserve its goods and decide what comes next."""
    order = deps.orders.require(request.order_id)
    if order.fulfillments is None and not order.cancel:
        try:
            allotments = deps.inventory.reserve(order)
        except TransientError:
            # The order is announced even while inventory is down.
            deps.announce(order, ORDER_SCOPE, request.announced)
            # The engine tries again; meanwhile nobody need think that this workflow never started.
            deps.change(order.id, lambda current, _now: acknowledge(current, order_workflow_id(current.id)))
            raise
        return _go_on(deps, request, lambda current, now: order_rules.reserved(current, allotments, deps.policy, now))
    # Cancelled before anything was reserved, or started anew by the reconciler: the record knows how far it is.
    return advance(deps, request)


def advance(deps: Dependencies, request: OrderStep) -> OrderProgress:
    """Look what the customer or the approver has said, or whether their time is over, and decide what comes next."""
    return _go_on(deps, request, lambda current, now: order_rules.advance(current, deps.policy, now))


def _go_on(deps: Dependencies, request: OrderStep, change: Callable[[Order, str], Order]) -> OrderProgress:
    order = deps.change(
        request.order_id,
        # Only here is it certain which trace the engine has made, or gone on with, for the workflow.
        lambda current, now: traced(
            acknowledge(change(current, now), order_workflow_id(current.id)), tracing.trace_id()
        ),
    )
    announced = deps.announce(order, ORDER_SCOPE, request.announced)
    going_on = not order.ending and not is_final(order.status)
    # Ended ones are there only when a lost workflow starts anew: what was left to do or to tell of them is done then.
    to_see_through = [one.id for one in order.fulfillments or [] if one.shipment and _is_under_way_or_over(one.status)]
    return OrderProgress(
        announced=announced,
        deadline=order.deadline if going_on else None,
        fulfillments=to_see_through if going_on else [],
        ending=order.ending is not None,
    )


def _is_under_way_or_over(status: FulfillmentStatus) -> bool:
    return status == FulfillmentStatus.PROCESSING or is_final(status)


def release_order(deps: Dependencies, request: OrderStep) -> Empty:
    """Give back everything that is still reserved for the order."""
    deps.inventory.release(request.order_id)
    return Empty()


def finish(deps: Dependencies, request: OrderStep) -> Empty:
    """Give the order its final status and announce it."""
    order = deps.change(request.order_id, order_rules.finish)
    deps.announce(order, ORDER_SCOPE, request.announced)
    return Empty()
