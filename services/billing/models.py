"""Requests, responses and records of billing. Amounts are in minor units."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from services.common.ids import FulfillmentId, OrderId, check_owner
from services.common.json_models import ApiModel, GoodsLine, Name, Request
from services.common.money import CURRENCY

UnitPrice = Annotated[int, Field(ge=0, le=10**12)]
Amount = Annotated[int, Field(ge=0, le=10**20)]


class ChargeStatus(StrEnum):
    """The status of a charge; `success` may become `refunded`, the others are final."""

    SUCCESS = "success"
    DECLINED = "declined"
    REFUNDED = "refunded"
    VOIDED = "voided"


class PaymentStatus(StrEnum):
    """The status in the response to a charge."""

    SUCCESS = "success"
    FAILED = "failed"


class EntryType(StrEnum):
    """The direction of a ledger entry."""

    CHARGE = "charge"
    REFUND = "refund"


class Line(GoodsLine):
    """A line of an invoice, with the unit price at the time the order was accepted."""

    unit_price: UnitPrice


class _FulfillmentRequest(Request):
    fulfillment_id: FulfillmentId
    order_id: OrderId

    @field_validator("order_id")
    @classmethod
    def _is_the_owner(cls, order_id: str, info: ValidationInfo) -> str:
        return check_owner(order_id, info.data.get("fulfillment_id"))


class InvoiceRequest(_FulfillmentRequest):
    """The body of `POST /invoices`."""

    customer_id: Name
    items: list[Line] = Field(min_length=1, max_length=100)


class ChargeRequest(_FulfillmentRequest):
    """The body of `POST /charges`."""

    idempotency_key: Name
    invoice_reference: Name
    amount: Amount


class RefundRequest(_FulfillmentRequest):
    """The body of `POST /refunds`."""

    charge_key: Name


class LedgerQuery(Request):
    """The query of `GET /ledger`."""

    order_id: OrderId = Field(description="an order's id")


class Invoice(ApiModel):
    """The amounts of a fulfillment; created once, never changed."""

    fulfillment_id: str
    order_id: str
    customer_id: str
    invoice_reference: str
    items: tuple[Line, ...]
    sub_total: int
    tax: int
    shipping: int
    total: int
    currency: str = CURRENCY
    created_at: str


class InvoiceAnswer(ApiModel):
    """The response to `POST /invoices`."""

    invoice_reference: str
    sub_total: int
    tax: int
    shipping: int
    total: int
    currency: str


class Refund(ApiModel):
    """A refund, always of the whole charge."""

    reference: str
    at: str


class Charge(ApiModel):
    """The charge of an idempotency key; `reference` is the payment provider's."""

    fulfillment_id: str
    status: ChargeStatus
    at: str
    invoice_reference: str | None = None
    amount: int = 0
    reference: str | None = None
    reason: str | None = None
    refund: Refund | None = None


class Ledger(ApiModel):
    """The charges of one order by idempotency key."""

    charges: dict[str, Charge] = Field(default_factory=dict)


class ChargeAnswer(ApiModel):
    """The response to `POST /charges`."""

    status: PaymentStatus
    charge_reference: str | None = None
    reason: str | None = None


class RefundAnswer(ApiModel):
    """The response to `POST /refunds`: the refunded amount, 0 if nothing was charged."""

    refunded: int


class LedgerEntry(ApiModel):
    """One entry of a ledger; a declined charge has the amount 0."""

    type: EntryType
    fulfillment_id: str
    amount: int
    at: str
    reference: str | None
    reason: str | None = None


class LedgerAnswer(ApiModel):
    """The response to `GET /ledger`."""

    order_id: str
    currency: str
    charged: int
    refunded: int
    entries: list[LedgerEntry]


@dataclass(frozen=True)
class ChargeOutcome:
    """The payment provider's response: its reference, and the reason of a declined charge."""

    accepted: bool
    reference: str
    reason: str | None = None
