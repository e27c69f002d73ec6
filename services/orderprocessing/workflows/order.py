"""The order workflow: reserve the stock, wait for decisions, fulfil, finish."""

from collections.abc import Generator
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext

from services.common.clock import moment
from services.orderprocessing.domain.fulfillment_rules import Outcome
from services.orderprocessing.domain.ids import charge_workflow_id, shipment_workflow_id
from services.orderprocessing.workflows.contracts import (
    ADVANCE,
    BOOK,
    CHARGE,
    CHARGE_WORKFLOW,
    CLOSE,
    FINISH,
    RELEASE_ORDER,
    RESERVE,
    SHIPMENT_WORKFLOW,
    UNDO,
    Empty,
    Flow,
    FulfillmentProgress,
    FulfillmentRun,
    FulfillmentStep,
    OrderProgress,
    OrderRun,
    OrderStep,
)
from services.orderprocessing.workflows.flow import apply_decisions, concurrently, wait_for_signal
from services.orderprocessing.workflows.versions import version


@version("1")
def order_workflow(ctx: DaprWorkflowContext, payload: dict[str, Any]) -> Generator[Any, Any, dict[str, Any]]:
    """Process an accepted order until it ends."""
    run = OrderRun.model_validate(payload)
    progress = yield from reserve_and_wait_for_decisions(ctx, run)
    if progress.ending:
        yield from RELEASE_ORDER(ctx, OrderStep(order_id=run.order_id))
    parts = [fulfil(ctx, run, fulfillment_id) for fulfillment_id in progress.fulfillments]
    results = yield from concurrently(parts, meanwhile=apply_decisions(ctx, run.order_id))
    if not any(result.order_ended for result in results):
        yield from FINISH(ctx, OrderStep(order_id=run.order_id, announced=progress.announced))
    return Empty().to_json()


def reserve_and_wait_for_decisions(ctx: DaprWorkflowContext, run: OrderRun) -> Flow[OrderProgress]:
    """Reserve the stock, then wait for the customer and the approver, each until their deadline."""
    progress = yield from RESERVE(ctx, OrderStep(order_id=run.order_id))
    while progress.deadline:
        yield from wait_for_signal(ctx, run.order_id, until=moment(progress.deadline).replace(tzinfo=None))
        progress = yield from ADVANCE(ctx, OrderStep(order_id=run.order_id, announced=progress.announced))
    return progress


def fulfil(ctx: DaprWorkflowContext, run: OrderRun, fulfillment_id: str) -> Flow[FulfillmentProgress]:
    """Charge and ship one fulfillment; if it cannot be delivered, undo its completed steps in reverse order."""
    completed = [RESERVE.name, CHARGE.name]
    charging = FulfillmentRun(
        order_id=run.order_id,
        fulfillment_id=fulfillment_id,
        timeout=run.charge_timeout,
        longest_try=run.longest_try,
    )
    progress = yield from CHARGE_WORKFLOW(ctx, charging, charge_workflow_id(fulfillment_id))
    if progress.outcome == Outcome.DONE:
        completed.append(BOOK.name)
        shipping = charging.model_copy(update={"timeout": run.booking_timeout})
        progress = yield from SHIPMENT_WORKFLOW(ctx, shipping, shipment_workflow_id(fulfillment_id))
        if progress.outcome == Outcome.DONE:
            return progress
    # A failed charge is undone too: one that timed out may still have reached the card network.
    step = FulfillmentStep(order_id=run.order_id, fulfillment_id=fulfillment_id)
    for activity in reversed(completed):
        yield from UNDO[activity](ctx, step)
    yield from CLOSE(ctx, step)
    return progress
