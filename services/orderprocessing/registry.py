"""Registers the workflows and activities of the worker, and binds the activities to their dependencies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dapr.ext.workflow import WorkflowActivityContext

from services.common.dapr.sidecar import TransientError
from services.common.logs import about_order, get_logger
from services.orderprocessing.activities import external_event, order, payment, shipment
from services.orderprocessing.activities.dependencies import Dependencies
from services.orderprocessing.adapters.milestones import log_retry
from services.orderprocessing.engine.activity_run import engine_try_number
from services.orderprocessing.engine.worker.activity_recorder import ActivityRecorder
from services.orderprocessing.workflows import contracts
from services.orderprocessing.workflows.charge import charge_workflow
from services.orderprocessing.workflows.order import order_workflow
from services.orderprocessing.workflows.shipment import shipment_workflow

log = get_logger(__name__)

Activity = Callable[[WorkflowActivityContext, dict[str, Any]], dict[str, Any]]
"""An activity, as the engine calls it."""

Around = Callable[[Callable[[], Any]], Any]
"""Runs an activity and returns its result."""

WORKFLOWS = (order_workflow, charge_workflow, shipment_workflow)
"""All versions of all workflows."""

_ACTIVITIES: tuple[tuple[contracts.ActivityCall[Any, Any], Callable[[Dependencies, Any], Any]], ...] = (
    (contracts.RESERVE, order.reserve),
    (contracts.ADVANCE, order.advance),
    (contracts.RELEASE_ORDER, order.release_order),
    (contracts.FINISH, order.finish),
    (contracts.APPLY_EVENT, external_event.apply_event),
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


def _directly(activity: Callable[[], Any]) -> Any:
    return activity()


def bound_activities(deps: Dependencies, recorder: ActivityRecorder, around: Around = _directly) -> list[Activity]:
    """Return the activities with JSON as input and output, as the engine calls them, bound to their dependencies.

    Each is run by `around`, which may act before and after it, and its run is recorded.
    """
    return [_bind(call, act, deps, recorder, around) for call, act in _ACTIVITIES]


def _bind(
    call: contracts.ActivityCall[Any, Any],
    act: Callable[[Dependencies, Any], Any],
    deps: Dependencies,
    recorder: ActivityRecorder,
    around: Around,
) -> Activity:
    def activity(ctx: WorkflowActivityContext, payload: dict[str, Any]) -> dict[str, Any]:
        request = call.input_type.model_validate(payload)

        def run() -> dict[str, Any]:
            answer: dict[str, Any] = around(lambda: act(deps, request)).to_json()
            return answer

        with about_order(request.order_id), _logged_errors(call.name, request, engine_try_number(payload)):
            return recorder.run(call.name, ctx, payload, run)

    activity.__name__ = call.name
    return activity


@contextmanager
def _logged_errors(activity: str, request: Any, tries: int) -> Iterator[None]:
    """Log why a try of an activity fails; the engine retries it silently."""
    try:
        yield
    except TransientError as error:
        log_retry(activity, request.order_id, tries, error)
        raise
    except Exception:
        log.exception("an activity failed and will be retried", extra={"activity": activity})
        raise
