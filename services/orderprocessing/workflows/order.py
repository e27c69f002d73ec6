"""The order workflow: reserve, ask where something is missing or dear, fulfil, finish."""

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
    OrderRun,
    OrderStep,
)
from services.orderprocessing.workflows.flow import concurrently, wait_for_signal


def order_workflow(ctx: DaprWorkflowContext, payload: dict[str, Any]) -> Generator[Any, Any, dict[str, Any]]:
    """Take an accepted order to its end."""
    run = OrderRun.model_validate(payload)
    progress = yield from RESERVE(ctx, OrderStep(order_id=run.order_id))
    while progress.deadline:
        yield from wait_for_signal(ctx, until=moment(progress.deadline).replace(tzinfo=None))
        progress = yield from ADVANCE(ctx, OrderStep(order_id=run.order_id, announced=progress.announced))
    if progress.ending:
        yield from RELEASE_ORDER(ctx, OrderStep(order_id=run.order_id))
    ends = yield from concurrently([fulfil(ctx, run, fulfillment_id) for fulfillment_id in progress.fulfillments])
    if not any(end.order_ended for end in ends):
        yield from FINISH(ctx, OrderStep(order_id=run.order_id, announced=progress.announced))
    return Empty().to_json()


def fulfil(ctx: DaprWorkflowContext, run: OrderRun, fulfillment_id: str) -> Flow[FulfillmentProgress]:
    """Charge and ship one fulfillment; where it cannot be delivered, give back what it took, last thing first."""
    taken = [RESERVE.name, CHARGE.name]
    charging = FulfillmentRun(
        order_id=run.order_id,
        fulfillment_id=fulfillment_id,
        timeout=run.charge_timeout,
        longest_try=run.longest_try,
    )
    progress = yield from CHARGE_WORKFLOW(ctx, charging, charge_workflow_id(fulfillment_id))
    if progress.outcome == Outcome.DONE:
        taken.append(BOOK.name)
        shipping = charging.model_copy(update={"timeout": run.booking_timeout})
        progress = yield from SHIPMENT_WORKFLOW(ctx, shipping, shipment_workflow_id(fulfillment_id))
        if progress.outcome == Outcome.DONE:
            return progress
    # A charge that failed is undone too: one that timed out may have reached the card network all the same.
    step = FulfillmentStep(order_id=run.order_id, fulfillment_id=fulfillment_id)
    for activity in reversed(taken):
        yield from UNDO[activity](ctx, step)
    yield from CLOSE(ctx, step)
    return progress
