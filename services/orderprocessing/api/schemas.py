"""What the order and shipment APIs answer, for their document; `views` makes it. Amounts are in minor units."""

from typing import Any, Literal

from services.common.json_models import ApiModel
from services.orderprocessing.domain.order import Payment
from services.orderprocessing.domain.states import FulfillmentStatus, OrderStatus, Reason, ShipmentStatus

UNREADABLE = "Oms-Unreadable"
"""The header of a list that lacks orders, because they cannot be read: how many."""


class Goods(ApiModel):
    """A quantity of one SKU."""

    sku: str
    quantity: int


class ShipmentState(ApiModel):
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


class FulfillmentAnswer(ApiModel):
    """The part of an order that one warehouse sends, or, without a location, that no warehouse has."""

    id: str
    location: str | None
    status: FulfillmentStatus
    reason: Reason | None
    items: list[Goods]
    payment: Payment | None
    shipment: ShipmentState | None


class WorkflowState(ApiModel):
    """What the engine says of the order's workflow, or its last known state."""

    instance_id: str
    status: str
    created_at: str
    updated_at: str
    failure: str | None


class OrderAnswer(ApiModel):
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
    workflow: WorkflowState


class OrderLine(ApiModel):
    """An order as lists show it."""

    id: str
    status: OrderStatus
    received_at: str
    customer_id: str
    goods_total: int
    currency: str


class TimelineStep(ApiModel):
    """One step of an order; without `fulfillmentId` where it concerns the whole."""

    seq: int
    at: str
    type: str
    message: str
    actor: str
    fulfillment_id: str = ""


class HistoryStep(ApiModel):
    """One event of a workflow instance."""

    id: int | None
    at: str
    type: str
    name: str | None
    scheduled_id: int | None
    fire_at: str | None
    input: Any
    result: Any
    failure: dict[str, str] | None


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
