"""The order: the requests that create and change it, and its record."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from services.common.ids import OrderId
from services.common.json_models import ApiModel, Name, Quantity, Request
from services.common.money import CURRENCY
from services.common.records import EntryLocation
from services.common.states import FulfillmentStatus, OrderStatus, PaymentStatus, Reason, ShipmentStatus

ORDER_SCOPE = "order"
"""The scope of the steps that the order workflow publishes; the steps of a child workflow have its instance id."""


class ItemRequest(Request):
    """One line of an order request."""

    sku: Name
    quantity: Quantity


class OrderRequest(Request):
    """A new order in its normal form; `order_parser` converts the short form."""

    id: OrderId | None = None
    customer_id: Name
    items: Annotated[list[ItemRequest], Field(min_length=1, max_length=100)]

    @field_validator("id")
    @classmethod
    def _not_a_path(cls, order_id: str | None) -> str | None:
        if order_id == "stats":
            raise ValueError("is the name of another resource")
        return order_id


class ActionRequest(Request):
    """The customer's decision."""

    action: Literal["amend", "cancel"]


class ApprovalRequest(Request):
    """The approver's decision."""

    approver: Name
    approved: bool


class ShipmentRequest(Request):
    """The courier's report."""

    status: Literal["dispatched", "delivered"]


class Line(ApiModel):
    """A quantity of one SKU at its unit price in minor units, fixed when the order was accepted."""

    sku: str
    quantity: int
    unit_price: int

    @property
    def total(self) -> int:
        """The price of the line in minor units, without tax and shipping."""
        return self.quantity * self.unit_price


class Payment(ApiModel):
    """The payment of a fulfillment in minor units; the amounts are None until it is invoiced."""

    sub_total: int | None = None
    tax: int | None = None
    shipping: int | None = None
    total: int | None = None
    currency: str = CURRENCY
    status: PaymentStatus = PaymentStatus.PENDING
    invoice_reference: str | None = None


class Shipment(ApiModel):
    """The shipment of a fulfillment, started at `started_at`; `entry_location` is its place in the index."""

    id: str
    status: ShipmentStatus = ShipmentStatus.PENDING
    courier_reference: str | None = None
    updated_at: str
    started_at: str | None = None
    handed_over: bool = False
    entry_location: EntryLocation | None = None

    @property
    def has_left(self) -> bool:
        """Whether the courier has picked up the goods."""
        return self.status in {ShipmentStatus.DISPATCHED, ShipmentStatus.DELIVERED}


class Fulfillment(ApiModel):
    """The part of an order that one warehouse ships or, without a location, that is out of stock."""

    id: str
    location: str | None
    status: FulfillmentStatus
    reason: Reason | None = None
    items: list[Line]
    payment: Payment | None = None
    shipment: Shipment | None = None

    @property
    def goods(self) -> int:
        """The price of the goods in minor units."""
        return sum(line.total for line in self.items)


class Step(ApiModel):
    """One step of the timeline. Its event has the same content, and an id derived from `seq`."""

    seq: int
    at: str
    type: str
    message: str
    actor: str
    scope: str
    fulfillment_id: str | None = None


class Approval(ApiModel):
    """The approver's recorded decision."""

    approver: str
    approved: bool


class Ending(ApiModel):
    """The status and reason with which the order will end, after all its steps have been undone."""

    status: OrderStatus
    reason: Reason


class Order(ApiModel):
    """The record of an order: one document, changed by compare-and-set.

    Workflows and API make their decisions by it. `pending_signals` names the workflow instances that have not read a
    change yet, with the time of the change. An instance is signalled after the change and acknowledges by removing its
    name, so a signal lost in a crash is found and sent again. `trace_id` is the trace of the order's workflow.
    """

    id: str
    customer_id: str
    fingerprint: str
    received_at: str
    updated_at: str
    completed_at: str | None = None
    trace_id: str | None = None
    status: OrderStatus = OrderStatus.PENDING
    reason: Reason | None = None
    items: list[Line]
    fulfillments: list[Fulfillment] | None = None
    deadline: str | None = None
    amend: bool = False
    cancel: bool = False
    approval: Approval | None = None
    ending: Ending | None = None
    timeline: list[Step] = Field(default_factory=list)
    pending_signals: dict[str, str] = Field(default_factory=dict)
    entry_location: EntryLocation | None = None
    rev: int = 0

    @property
    def goods_total(self) -> int:
        """The price of all goods ordered, in minor units, without tax and shipping."""
        return sum(line.total for line in self.items)

    def fulfillment(self, fulfillment_id: str) -> Fulfillment | None:
        """Return one fulfillment, or None."""
        return next((part for part in self.fulfillments or [] if part.id == fulfillment_id), None)


class IdempotencyRecord(ApiModel):
    """The request and order that an Idempotency-Key is bound to since `at`, which older records do not have."""

    fingerprint: str
    order_id: str
    at: str | None = None


JsonObject = dict[str, Any]
