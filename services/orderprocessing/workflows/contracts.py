"""The contracts of workflows and activities: names, input types and output types.

A workflow calls an activity by `result = yield from RESERVE(ctx, request)`. The call has typed input and output, which
are validated on arrival, and the retry policy of all activities.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dapr.ext.workflow import DaprWorkflowContext, TaskFailedError
from pydantic import Field

from services.common.json_models import ApiModel
from services.orderprocessing.domain.fulfillment_rules import Outcome
from services.orderprocessing.workflows.policies import DEFAULT_LONGEST_TRY, UNTIL_DONE

Req = TypeVar("Req", bound=ApiModel)
Res = TypeVar("Res", bound=ApiModel)

Flow = Generator[Any, Any, Res]
"""A part of a workflow: yields the engine's tasks and returns a result."""


TRY = "_try"
"""The member of a repeated activity's input that holds the number of its try; without it, the try is the first."""


class OrderRun(ApiModel):
    """Input of an order workflow; timeouts in seconds, fixed at the start so that a replay uses the same ones."""

    order_id: str
    charge_timeout: float
    booking_timeout: float
    longest_try: float = DEFAULT_LONGEST_TRY


class FulfillmentRun(ApiModel):
    """Input of a charge or shipment workflow; times in seconds, `longest_try` is the longest duration of one try."""

    order_id: str
    fulfillment_id: str
    timeout: float
    longest_try: float = DEFAULT_LONGEST_TRY


class OrderStep(ApiModel):
    """Input of a step of an order, which publishes the events after number `announced`."""

    order_id: str
    announced: int = 0


class OrderProgress(ApiModel):
    """The progress of an order: it waits until `deadline`, or has these fulfillments to process, or is ending."""

    announced: int
    deadline: str | None = None
    fulfillments: list[str] = Field(default_factory=list)
    ending: bool = False


class FulfillmentStep(ApiModel):
    """Input of a step of a fulfillment, which publishes the events after number `announced`."""

    order_id: str
    fulfillment_id: str
    announced: int = 0


class FulfillmentProgress(ApiModel):
    """The progress of a fulfillment's payment or shipment, and whether its end has ended the order too."""

    outcome: Outcome
    announced: int = 0
    order_ended: bool = False


class ExternalEvent(ApiModel):
    """An event that a client of the sidecar raised on an order's or a shipment's workflow, with its payload as text."""

    order_id: str
    fulfillment_id: str | None = None
    event: str
    payload: str


class Empty(ApiModel):
    """An output without content."""


@dataclass(frozen=True)
class ActivityCall(Generic[Req, Res]):
    """An activity, as workflows call it."""

    name: str
    input_type: type[Req]
    output_type: type[Res]

    def __call__(self, ctx: DaprWorkflowContext, request: Req, number: int = 1) -> Flow[Res]:
        """Run the activity until it is done and return its result.

        `number` is the number of this call where a workflow repeats it; logs and histories show it as the try.
        """
        given = request.to_json() if number == 1 else {**request.to_json(), TRY: number}
        while True:
            try:
                answer = yield ctx.call_activity(self.name, input=given, retry_policy=UNTIL_DONE)
            except TaskFailedError:
                continue  # All tries of the policy failed: start over, because a step is never given up.
            return self.output_type.model_validate(answer)


@dataclass(frozen=True)
class WorkflowCall(Generic[Req, Res]):
    """A child workflow, as its parent calls it."""

    name: str
    input_type: type[Req]
    output_type: type[Res]

    def __call__(self, ctx: DaprWorkflowContext, request: Req, instance_id: str) -> Flow[Res]:
        """Run the child workflow and return its result."""
        answer = yield ctx.call_child_workflow(self.name, input=request.to_json(), instance_id=instance_id)
        return self.output_type.model_validate(answer)


ORDER_WORKFLOW = "order_workflow"
CHARGE_WORKFLOW = WorkflowCall("charge_workflow", FulfillmentRun, FulfillmentProgress)
SHIPMENT_WORKFLOW = WorkflowCall("shipment_workflow", FulfillmentRun, FulfillmentProgress)

RESERVE = ActivityCall("reserve", OrderStep, OrderProgress)
ADVANCE = ActivityCall("advance", OrderStep, OrderProgress)
FINISH = ActivityCall("finish", OrderStep, Empty)
CHARGE = ActivityCall("charge", FulfillmentStep, FulfillmentProgress)
GIVE_UP_CHARGE = ActivityCall("give_up_charge", FulfillmentStep, FulfillmentProgress)
BOOK = ActivityCall("book", FulfillmentStep, FulfillmentProgress)
GIVE_UP_BOOKING = ActivityCall("give_up_booking", FulfillmentStep, FulfillmentProgress)
FOLLOW_COURIER = ActivityCall("follow_courier", FulfillmentStep, FulfillmentProgress)
APPLY_EVENT = ActivityCall("apply_event", ExternalEvent, Empty)

RELEASE_ORDER = ActivityCall("release_order", OrderStep, Empty)
RELEASE = ActivityCall("release", FulfillmentStep, Empty)
REFUND = ActivityCall("refund", FulfillmentStep, Empty)
CANCEL_BOOKING = ActivityCall("cancel_booking", FulfillmentStep, Empty)
CLOSE = ActivityCall("close", FulfillmentStep, Empty)

UNDO = {RESERVE.name: RELEASE, CHARGE.name: REFUND, BOOK.name: CANCEL_BOOKING}
"""The undo of each activity that has one."""
