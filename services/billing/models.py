"""What billing reads, answers and keeps. Every amount is in minor units."""

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
    """What became of a charge; `success` may become `refunded`, the others stay."""

    SUCCESS = "success"
    DECLINED = "declined"
    REFUNDED = "refunded"
    VOIDED = "voided"


class PaymentStatus(StrEnum):
    """What the caller of a charge is told."""

    SUCCESS = "success"
    FAILED = "failed"


class EntryType(StrEnum):
    """Which way the money of a ledger entry went."""

    CHARGE = "charge"
    REFUND = "refund"


class Line(GoodsLine):
    """Goods on an invoice, with the unit price that was agreed when the order was accepted."""

    unit_price: UnitPrice


class _AboutFulfillment(Request):
    fulfillment_id: FulfillmentId
    order_id: OrderId

    @field_validator("order_id")
    @classmethod
    def _is_the_owner(cls, order_id: str, info: ValidationInfo) -> str:
        return check_owner(order_id, info.data.get("fulfillment_id"))


class InvoiceRequest(_AboutFulfillment):
    """The body of `POST /invoices`."""

    customer_id: Name
    items: list[Line] = Field(min_length=1, max_length=100)


class ChargeRequest(_AboutFulfillment):
    """The body of `POST /charges`."""

    idempotency_key: Name
    invoice_reference: Name
    amount: Amount


class RefundRequest(_AboutFulfillment):
    """The body of `POST /refunds`."""

    charge_key: Name


class LedgerQuery(Request):
    """The query of `GET /ledger`."""

    order_id: OrderId = Field(description="an order's id")


class Invoice(ApiModel):
    """What a fulfillment costs; made once, never changed."""

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
    """The answer to `POST /invoices`."""

    invoice_reference: str
    sub_total: int
    tax: int
    shipping: int
    total: int
    currency: str


class Refund(ApiModel):
    """Money that went back; always the whole charge."""

    reference: str
    at: str


class Charge(ApiModel):
    """One idempotency key and what became of it; `reference` is the payment provider's."""

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
    """The answer to `POST /charges`."""

    status: PaymentStatus
    charge_reference: str | None = None
    reason: str | None = None


class RefundAnswer(ApiModel):
    """The answer to `POST /refunds`: the amount that went back, 0 where nothing was charged."""

    refunded: int


class LedgerEntry(ApiModel):
    """One line of a ledger as it is shown; a declined charge moved nothing, so its amount is 0."""

    type: EntryType
    fulfillment_id: str
    amount: int
    at: str
    reference: str | None
    reason: str | None = None


class LedgerAnswer(ApiModel):
    """The answer to `GET /ledger`."""

    order_id: str
    currency: str
    charged: int
    refunded: int
    entries: list[LedgerEntry]


@dataclass(frozen=True)
class ChargeOutcome:
    """The payment provider's answer: its reference, and the reason when it did not accept."""

    accepted: bool
    reference: str
    reason: str | None = None
