"""The activity that applies decisions which a client of the sidecar raised as events on workflows."""

import json
from typing import Any

from pydantic import ValidationError

from services.common.errors import NotAllowedError
from services.common.json_models import field_errors
from services.common.logs import get_logger
from services.common.states import ShipmentStatus
from services.orderprocessing.activities.dependencies import Dependencies
from services.orderprocessing.domain import ids
from services.orderprocessing.domain.order import ActionRequest, ApprovalRequest, ShipmentRequest
from services.orderprocessing.domain.timeline import event_refused
from services.orderprocessing.workflows.contracts import Empty, ExternalEvent

log = get_logger(__name__)

_LONGEST_NAME = 40


class _RefusedError(Exception):
    """The event is not a decision that this workflow takes."""


def apply_event(deps: Dependencies, request: ExternalEvent) -> Empty:
    """Apply a decision as the API does; log and note in the timeline why one is refused."""
    try:
        _apply(deps, request)
    except (_RefusedError, NotAllowedError) as error:
        name = "".join(char for char in request.event[:_LONGEST_NAME] if char.isprintable())
        message = f"Event {name!r} refused: {error}"
        log.warning("an external event was refused", extra={"event": name, "cause": str(error)})
        order = deps.change(request.order_id, lambda current, now: event_refused(current, message, now))
        deps.announce_refusals(order)
    else:
        log.info("an external event was applied", extra={"event": request.event})
    return Empty()


def _apply(deps: Dependencies, request: ExternalEvent) -> None:
    order_id, fulfillment_id = request.order_id, request.fulfillment_id
    match request.event.casefold(), fulfillment_id:
        case ids.APPROVAL_EVENT, None:
            approval = _parsed(ApprovalRequest, request.payload)
            deps.decisions.approve(order_id, approval.approver, approval.approved)
        case ids.ACTION_EVENT, None:
            deps.decisions.act(order_id, _parsed(ActionRequest, request.payload).action)
        case ids.STATUS_EVENT, str(shipment_id):
            report = _parsed(ShipmentRequest, request.payload)
            deps.decisions.report(order_id, shipment_id, ShipmentStatus(report.status))
        case _, None:
            raise _RefusedError(f"an order takes the events {ids.APPROVAL_EVENT} and {ids.ACTION_EVENT}")
        case _:
            raise _RefusedError(f"a shipment takes the event {ids.STATUS_EVENT}")


def _parsed(kind: Any, payload: str) -> Any:
    """Return the payload as an object of a model. Raises _RefusedError."""
    try:
        content = json.loads(payload)
        # The Dapr CLI sends its input as a JSON string.
        content = json.loads(content) if isinstance(content, str) else content
    except (ValueError, RecursionError) as error:
        raise _RefusedError("the payload is not JSON") from error
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        fields = field_errors(error, whole="payload")
        raise _RefusedError("; ".join(f"{field}: {detail}" for field, detail in fields)) from error
