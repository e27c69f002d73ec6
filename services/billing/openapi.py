"""What billing tells of its HTTP interface."""

from services.billing.models import (
    ChargeAnswer,
    ChargeRequest,
    Invoice,
    InvoiceAnswer,
    InvoiceRequest,
    LedgerAnswer,
    RefundAnswer,
    RefundRequest,
)
from services.common.ids import ORDER_ID_PATTERN
from services.common.json_models import Json
from services.common.web.openapi import Link, Operation, Parameter, document

_ORDER = Parameter("orderId", "an order's id", {"type": "string", "pattern": f"^{ORDER_ID_PATTERN}$"}, required=True)


def describe() -> Json:
    """Return billing's OpenAPI document."""
    about = "Invoices and the payment ledger. Amounts are whole cents."
    return document("billing", about, [*_invoices(), *_payments()])


def _invoices() -> list[Operation]:
    return [
        Operation(
            "POST",
            "/invoices",
            "makeInvoice",
            "Make the invoice of a fulfillment, once",
            InvoiceAnswer,
            body=InvoiceRequest,
            refusals=[409],
            links=[Link("showInvoice", {"fulfillmentId": "$request.body#/fulfillmentId"})],
            internal=True,
        ),
        Operation("GET", "/invoices/{fulfillmentId}", "showInvoice", "An invoice", Invoice, refusals=[404]),
    ]


def _payments() -> list[Operation]:
    return [
        Operation(
            "POST",
            "/charges",
            "charge",
            "Charge a fulfillment, once for each idempotency key",
            ChargeAnswer,
            body=ChargeRequest,
            refusals=[409],
            internal=True,
        ),
        Operation(
            "POST",
            "/refunds",
            "refund",
            "Give a charge back, or see to it that it never happens",
            RefundAnswer,
            body=RefundRequest,
            refusals=[409],
            links=[Link("showLedger", {"orderId": "$request.body#/orderId"})],
            internal=True,
        ),
        Operation(
            "GET",
            "/ledger",
            "showLedger",
            "What was charged and refunded for an order",
            LedgerAnswer,
            parameters=[_ORDER],
            refusals=[422],
        ),
    ]
