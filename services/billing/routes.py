"""Billing's HTTP interface: parse, call, answer."""

from flask import Flask, Response, jsonify, request

from services.billing import domain
from services.billing.models import ChargeRequest, InvoiceRequest, LedgerQuery, RefundAnswer, RefundRequest
from services.billing.store import BillingStore
from services.common.ids import is_fulfillment_id
from services.common.logs import about_order
from services.common.web.base_app import parse, read_body
from services.common.web.problems import not_found


def register(app: Flask, store: BillingStore) -> None:
    """Add billing's routes to the application."""

    @app.post("/invoices")
    def _invoice() -> Response:
        body = read_body(InvoiceRequest)
        with about_order(body.order_id):
            return jsonify(domain.invoice_answer(store.invoice(body)).to_json())

    @app.get("/invoices/<fulfillment_id>")
    def _find_invoice(fulfillment_id: str) -> Response:
        invoice = store.find_invoice(fulfillment_id) if is_fulfillment_id(fulfillment_id) else None
        if invoice is None:
            raise not_found("invoice of fulfillment", fulfillment_id)
        return jsonify(invoice.to_json())

    @app.post("/charges")
    def _charge() -> Response:
        body = read_body(ChargeRequest)
        with about_order(body.order_id):
            return jsonify(store.charge(body).to_json())

    @app.post("/refunds")
    def _refund() -> Response:
        body = read_body(RefundRequest)
        with about_order(body.order_id):
            return jsonify(RefundAnswer(refunded=store.refund(body)).to_json())

    @app.get("/ledger")
    def _ledger() -> Response:
        query = parse(LedgerQuery, dict(request.args.items()))
        return jsonify(store.ledger(query.order_id).to_json())
