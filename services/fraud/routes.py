"""Fraud's HTTP interface: parse, call, answer."""

from flask import Flask, Response, jsonify

from services.common.web.base_app import parse, read_body, read_optional_object
from services.fraud import domain
from services.fraud.models import (
    ChargePath,
    CheckAnswer,
    CheckRequest,
    LimitRequest,
    MaintenanceRequest,
    Settings,
    TallyPath,
)
from services.fraud.store import FraudStore


def register(app: Flask, store: FraudStore) -> None:
    """Add fraud's routes to the application."""

    @app.get("/settings")
    def _settings() -> Response:
        return _answer(store.settings())

    @app.post("/limit")
    def _limit() -> Response:
        return _answer(store.set_limit(read_body(LimitRequest).limit))

    @app.post("/maintenance")
    def _maintenance() -> Response:
        body = read_optional_object()
        return _answer(store.set_maintenance(parse(MaintenanceRequest, body).enabled))

    @app.post("/reset")
    def _reset() -> Response:
        return _answer(store.reset())

    _register_checks(app, store)


def _register_checks(app: Flask, store: FraudStore) -> None:
    @app.post("/check")
    def _check() -> Response:
        return jsonify(CheckAnswer(declined=store.check(read_body(CheckRequest))).to_json())

    @app.post("/check/<charge_id>")
    def _check_charge(charge_id: str) -> Response:
        path = parse(ChargePath, {"chargeId": charge_id})
        return jsonify(domain.answer(store.check_charge(read_body(CheckRequest), path.charge_id)).to_json())

    @app.post("/check/<charge_id>/reverse")
    def _reverse(charge_id: str) -> Response:
        path = parse(ChargePath, {"chargeId": charge_id})
        return jsonify(domain.reversal_answer(store.reverse(path.charge_id)).to_json())

    @app.get("/tally/<customer_id>")
    def _tally(customer_id: str) -> Response:
        path = parse(TallyPath, {"customerId": customer_id})
        return jsonify(domain.show_tally(path.customer_id, *store.tally(path.customer_id)).to_json())


def _answer(settings: Settings) -> Response:
    return jsonify(domain.show_settings(settings).to_json())
