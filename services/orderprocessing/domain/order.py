"""What an order is: the requests that make and move one, and the record that is kept of it."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from services.common.ids import OrderId
from services.common.json_models import ApiModel, Name, Quantity, Request
from services.common.money import CURRENCY
from services.common.records import EntryLocation
from services.orderprocessing.domain.states import FulfillmentStatus, OrderStatus, PaymentStatus, Reason, ShipmentStatus

ORDER_SCOPE = "order"
"""The scope of steps that the order workflow announces; those of a child workflow carry its instance id."""


class ItemRequest(Request):
    """One line of a request."""

    sku: Name
    quantity: Quantity


class OrderRequest(Request):
    """A new order, in its one normal form; `intake` brings the shorter form into it."""

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
    """What the customer decided."""

    action: Literal["amend", "cancel"]


class ApprovalRequest(Request):
    """What the approver decided."""

    approver: Name
    approved: bool


class ShipmentRequest(Request):
    """What the courier reports."""

    status: Literal["dispatched", "delivered"]


class Line(ApiModel):
    """Goods of one SKU at the unit price, in minor units, that was agreed when the order was accepted."""

    sku: str
    quantity: int
    unit_price: int

    @property
    def total(self) -> int:
        """The price of the line in minor units, without tax and shipping."""
        return self.quantity * self.unit_price


class Payment(ApiModel):
    """What a fulfillment costs, in minor units; the amounts are None until it is invoiced."""

    sub_total: int | None = None
    tax: int | None = None
    shipping: int | None = None
    total: int | None = None
    currency: str = CURRENCY
    status: PaymentStatus = PaymentStatus.PENDING
    invoice_reference: str | None = None


class Shipment(ApiModel):
    """The goods on their way, since `started_at`; `place` is where the list of shipments has it."""

    id: str
    status: ShipmentStatus = ShipmentStatus.PENDING
    courier_reference: str | None = None
    updated_at: str
    started_at: str | None = None
    handed_over: bool = False
    entry_location: EntryLocation | None = None

    @property
    def has_left(self) -> bool:
        """Whether the courier has, or had, the goods."""
        return self.status in {ShipmentStatus.DISPATCHED, ShipmentStatus.DELIVERED}


class Fulfillment(ApiModel):
    """The part of an order that one warehouse sends, or, without a location, that no warehouse has."""

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
    """One line of the timeline, and the event that tells of it: same facts, id from `seq`."""

    seq: int
    at: str
    type: str
    message: str
    actor: str
    scope: str
    fulfillment_id: str | None = None


class Approval(ApiModel):
    """The approver's answer."""

    approver: str
    approved: bool


class Ending(ApiModel):
    """How the order will end once everything that it took is given back."""

    status: OrderStatus
    reason: Reason


class Order(ApiModel):
    """Everything known of an order; one document, changed by compare-and-set.

    Workflows and API decide by it. `pending_signals` names the workflow instances that have a change to look at, with
    the time of the change: an instance is signalled after the change and acknowledges by removing its name, so that a
    crash between the two is found and the signal is sent again. `trace_id` is the trace of the order's workflow.
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
        return next((one for one in self.fulfillments or [] if one.id == fulfillment_id), None)


class IdempotencyRecord(ApiModel):
    """What an Idempotency-Key is bound to, since `at`; older records do not have the time."""

    fingerprint: str
    order_id: str
    at: str | None = None


JsonObject = dict[str, Any]
