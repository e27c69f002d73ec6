"""Billing's HTTP interface."""

from services.billing import domain
from services.billing.models import (
    ChargeAnswer,
    ChargeRequest,
    Invoice,
    InvoiceAnswer,
    InvoiceRequest,
    LedgerAnswer,
    LedgerQuery,
    RefundAnswer,
    RefundRequest,
)
from services.billing.store import BillingStore
from services.common.identity import Role
from services.common.ids import is_fulfillment_id
from services.common.logs import about_order
from services.common.web import api
from services.common.web.access_rules import people, services
from services.common.web.openapi import Link
from services.common.web.problems import not_found

_MANAGER = people(Role.MANAGER)
_ORDERS = services("orderprocessing")


class BillingRoutes:
    """Invoices, and the payment ledger."""

    def __init__(self, store: BillingStore) -> None:
        self._store = store

    @api.post(
        "/invoices",
        "Make the invoice of a fulfillment, once",
        allow=_ORDERS,
        errors=[409],
        links=[Link("showInvoice", {"fulfillmentId": "$request.body#/fulfillmentId"})],
    )
    def make_invoice(self, body: InvoiceRequest) -> InvoiceAnswer:
        """Make an invoice."""
        with about_order(body.order_id):
            return domain.invoice_answer(self._store.invoice(body))

    @api.get("/invoices/<fulfillment_id>", "An invoice", allow=_MANAGER, errors=[404])
    def show_invoice(self, fulfillment_id: str) -> Invoice:
        """Return an invoice."""
        invoice = self._store.find_invoice(fulfillment_id) if is_fulfillment_id(fulfillment_id) else None
        if invoice is None:
            raise not_found("invoice of fulfillment", fulfillment_id)
        return invoice

    @api.post("/charges", "Charge a fulfillment, once for each idempotency key", allow=_ORDERS, errors=[409])
    def charge(self, body: ChargeRequest) -> ChargeAnswer:
        """Charge a fulfillment."""
        with about_order(body.order_id):
            return self._store.charge(body)

    @api.post(
        "/refunds",
        "Refund a charge, or make sure that it never happens",
        allow=_ORDERS,
        errors=[409],
        links=[Link("showLedger", {"orderId": "$request.body#/orderId"})],
    )
    def refund(self, body: RefundRequest) -> RefundAnswer:
        """Refund a charge."""
        with about_order(body.order_id):
            return RefundAnswer(refunded=self._store.refund(body))

    @api.get("/ledger", "The charges and refunds of an order", allow=_MANAGER, errors=[422])
    def show_ledger(self, query: LedgerQuery) -> LedgerAnswer:
        """Return the ledger of an order."""
        return self._store.ledger(query.order_id)


API = api.Api("billing", "Invoices and the payment ledger. Amounts are whole cents.", [BillingRoutes])
