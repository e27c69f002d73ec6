"""The shipment workflow: books the courier for one fulfillment and follows the shipment until it is delivered."""

from collections.abc import Generator
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext

from services.orderprocessing.domain.fulfillment_rules import Outcome
from services.orderprocessing.workflows.contracts import (
    BOOK,
    FOLLOW_COURIER,
    GIVE_UP_BOOKING,
    FulfillmentRun,
    FulfillmentStep,
)
from services.orderprocessing.workflows.flow import try_until, wait_for_signal
from services.orderprocessing.workflows.versions import version


@version("1")
def shipment_workflow(ctx: DaprWorkflowContext, payload: dict[str, Any]) -> Generator[Any, Any, dict[str, Any]]:
    """Book the courier, trying again until the timeout while shipping is unavailable, then follow its reports."""
    run = FulfillmentRun.model_validate(payload)
    step = FulfillmentStep(order_id=run.order_id, fulfillment_id=run.fulfillment_id)
    progress = yield from try_until(ctx, BOOK, run)
    if progress.outcome == Outcome.UNAVAILABLE:
        progress = yield from GIVE_UP_BOOKING(ctx, step)
    while progress.outcome == Outcome.WAITING:
        yield from wait_for_signal(ctx, run.order_id, run.fulfillment_id)
        step = step.model_copy(update={"announced": progress.announced})
        progress = yield from FOLLOW_COURIER(ctx, step)
    return progress.to_json()
