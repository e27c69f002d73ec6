"""The answers of the order and shipment APIs, and how they are made from records. Amounts are in minor units."""

from typing import Any, Literal, Self

from pydantic import ConfigDict

from services.common.json_models import ApiModel
from services.common.money import CURRENCY
from services.common.states import FulfillmentStatus, OrderStatus, Reason, ShipmentStatus, is_final
from services.orderprocessing.domain.ids import order_workflow_id
from services.orderprocessing.domain.order import Fulfillment, JsonObject, Order, Payment, Shipment
from services.orderprocessing.domain.order_rules import actions
from services.orderprocessing.engine.activity_run import ActivityRun

UNREADABLE = "Oms-Unreadable"
"""The header of a list that lacks orders, because they cannot be read: how many."""


class RecordAnswer(ApiModel):
    """An answer that takes its fields from the attributes of a record with the same names."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of(cls, record: object, **others: object) -> Self:
        """Return the answer for the record; `others` are the fields that the record does not have."""
        fields = {name: getattr(record, name) for name in cls.model_fields if name not in others}
        return cls.model_validate(fields | others)


class Goods(RecordAnswer):
    """A quantity of one SKU."""

    sku: str
    quantity: int


class ShipmentState(RecordAnswer):
    """Where a shipment is."""

    id: str
    status: ShipmentStatus
    courier_reference: str | None
    updated_at: str


class ShipmentAnswer(ShipmentState):
    """A shipment with its goods."""

    items: list[Goods]


class ShipmentLine(ApiModel):
    """A shipment as lists show it."""

    id: str
    status: ShipmentStatus
    order_id: str
    updated_at: str


class FulfillmentAnswer(RecordAnswer):
    """The part of an order that one warehouse sends, or, without a location, that no warehouse has."""

    id: str
    location: str | None
    status: FulfillmentStatus
    reason: Reason | None
    items: list[Goods]
    payment: Payment | None
    shipment: ShipmentState | None


class WorkflowState(ApiModel):
    """The state of the order's workflow as the engine reports it, or the last known one."""

    instance_id: str
    status: str
    created_at: str
    updated_at: str
    failure: str | None


class OrderAnswer(RecordAnswer):
    """An order; `fulfillments` is null until its goods are reserved, `actions` says what the customer may do now."""

    id: str
    customer_id: str
    received_at: str
    updated_at: str
    completed_at: str | None
    status: OrderStatus
    reason: Reason | None
    items: list[Goods]
    goods_total: int
    currency: str
    fulfillments: list[FulfillmentAnswer] | None
    actions: list[Literal["amend", "cancel"]]
    deadline: str | None
    trace_id: str | None
    workflow: WorkflowState | None


class OrderLine(ApiModel):
    """An order as lists show it."""

    id: str
    status: OrderStatus
    received_at: str
    customer_id: str
    goods_total: int
    currency: str


class TimelineStep(RecordAnswer):
    """One step of an order; without `fulfillmentId` where it concerns the whole order."""

    seq: int
    at: str
    type: str
    message: str
    actor: str
    fulfillment_id: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the step as it is sent, without a `fulfillmentId` where it concerns the whole order."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


class HistoryStep(ApiModel):
    """One event of a workflow instance; the end of an activity has the `run` by a worker, if it was recorded."""

    id: int | None
    at: str
    type: str
    name: str | None
    scheduled_id: int | None
    fire_at: str | None
    input: Any
    result: Any
    failure: dict[str, str] | None
    run: ActivityRun | None


class InstanceHistory(ApiModel):
    """What happened in a workflow instance; `omitted` counts the oldest events, which are left out."""

    instance_id: str
    workflow: str | None
    status: str
    omitted: int
    events: list[HistoryStep]


class Figures(ApiModel):
    """How many workers there are, and how much waits for them."""

    worker_count: int
    backlog: int


class OrderFigures(Figures):
    """The same with the orders completed per second over the last 30 seconds."""

    complete_rate: float


def order_answer(order: Order, workflow: JsonObject | WorkflowState | None) -> OrderAnswer:
    """Return the whole order with the state of its workflow, None while the engine does not answer."""
    return OrderAnswer.of(order, currency=CURRENCY, actions=actions(order), workflow=workflow)


def last_known_workflow(order: Order) -> WorkflowState:
    """Return the state of a workflow that is about to start, or that the engine has deleted, by the order's record."""
    return WorkflowState(
        instance_id=order_workflow_id(order.id),
        status="COMPLETED" if is_final(order.status) else "RUNNING",
        created_at=order.received_at,
        updated_at=order.updated_at,
        failure=None,
    )


def shipment_answer(fulfillment: Fulfillment, shipment: Shipment) -> ShipmentAnswer:
    """Return the shipment of a fulfillment with its goods."""
    return ShipmentAnswer.of(shipment, items=fulfillment.items)


def timeline_answer(order: Order) -> list[TimelineStep]:
    """Return every step of an order so far, oldest first."""
    return [TimelineStep.of(step, fulfillment_id=step.fulfillment_id or "") for step in order.timeline]
