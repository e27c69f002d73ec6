"""The charge workflow: invoices, screens and charges one fulfillment, at most once."""

from collections.abc import Generator
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext

from services.orderprocessing.domain.fulfillment_rules import Outcome
from services.orderprocessing.workflows.contracts import CHARGE, GIVE_UP_CHARGE, FulfillmentRun, FulfillmentStep
from services.orderprocessing.workflows.flow import try_until
from services.orderprocessing.workflows.versions import version


@version("1")
def charge_workflow(ctx: DaprWorkflowContext, payload: dict[str, Any]) -> Generator[Any, Any, dict[str, Any]]:
    """Charge the fulfillment; while billing or fraud is unavailable, try again until the timeout."""
    run = FulfillmentRun.model_validate(payload)
    progress = yield from try_until(ctx, CHARGE, run)
    if progress.outcome == Outcome.UNAVAILABLE:
        step = FulfillmentStep(order_id=run.order_id, fulfillment_id=run.fulfillment_id)
        progress = yield from GIVE_UP_CHARGE(ctx, step)
    return progress.to_json()
