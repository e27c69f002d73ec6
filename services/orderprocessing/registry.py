"""Which workflows and activities the worker runs, and how an activity meets its tools."""

from collections.abc import Callable
from typing import Any

from dapr.ext.workflow import WorkflowActivityContext

from services.common.logs import about_order
from services.orderprocessing import contracts
from services.orderprocessing.activities import order, payment, shipment
from services.orderprocessing.activities.tools import Tools
from services.orderprocessing.workflows.charge import charge_workflow
from services.orderprocessing.workflows.order import order_workflow
from services.orderprocessing.workflows.shipment import shipment_workflow

WORKFLOWS = (order_workflow, charge_workflow, shipment_workflow)

_ACTIVITIES: tuple[tuple[contracts.ActivityCall[Any, Any], Callable[[Tools, Any], Any]], ...] = (
    (contracts.RESERVE, order.reserve),
    (contracts.ADVANCE, order.advance),
    (contracts.RELEASE_ORDER, order.release_order),
    (contracts.FINISH, order.finish),
    (contracts.CHARGE, payment.charge),
    (contracts.GIVE_UP_CHARGE, payment.give_up_charge),
    (contracts.REFUND, payment.refund),
    (contracts.BOOK, shipment.book),
    (contracts.GIVE_UP_BOOKING, shipment.give_up_booking),
    (contracts.FOLLOW_COURIER, shipment.follow_courier),
    (contracts.CANCEL_BOOKING, shipment.cancel_booking),
    (contracts.RELEASE, shipment.release),
    (contracts.CLOSE, shipment.close),
)


def bound_activities(tools: Tools) -> list[Callable[[WorkflowActivityContext, dict[str, Any]], dict[str, Any]]]:
    """Return the activities as the engine calls them: JSON in, JSON out, with their tools at hand."""
    return [_bind(call, act, tools) for call, act in _ACTIVITIES]


def _bind(
    call: contracts.ActivityCall[Any, Any], act: Callable[[Tools, Any], Any], tools: Tools
) -> Callable[[WorkflowActivityContext, dict[str, Any]], dict[str, Any]]:
    def activity(_ctx: WorkflowActivityContext, payload: dict[str, Any]) -> dict[str, Any]:
        request = call.takes.model_validate(payload)
        with about_order(request.order_id):
            answer: dict[str, Any] = act(tools, request).wire()
            return answer

    activity.__name__ = call.name
    return activity
