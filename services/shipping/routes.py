"""Shipping's HTTP interface: parse, call, answer."""

from flask import Flask, Response, jsonify

from services.common.ids import is_fulfillment_id
from services.common.logs import about_order
from services.common.web.base_app import parse, read_body
from services.common.web.problems import not_found
from services.shipping import domain
from services.shipping.models import BookingPath, BookingRequest, Settings, SettingsAnswer
from services.shipping.store import ShippingStore


def register(app: Flask, store: ShippingStore) -> None:
    """Add shipping's routes to the application."""

    @app.post("/bookings")
    def _book() -> Response:
        body = read_body(BookingRequest)
        with about_order(body.order_id):
            return jsonify(domain.booking_answer(store.book(body)).to_json())

    @app.post("/bookings/<shipment_id>/cancel")
    def _cancel(shipment_id: str) -> Response:
        path = parse(BookingPath, {"id": shipment_id})
        return jsonify(domain.booking_answer(store.cancel(path.id)).to_json())

    @app.get("/bookings/<shipment_id>")
    def _find(shipment_id: str) -> Response:
        booking = store.find(shipment_id) if is_fulfillment_id(shipment_id) else None
        if booking is None:
            raise not_found("booking", shipment_id)
        return jsonify(booking.to_json())

    @app.post("/shipping/activate")
    def _activate() -> Response:
        return _answer(store.switch(True))

    @app.post("/shipping/deactivate")
    def _deactivate() -> Response:
        return _answer(store.switch(False))

    @app.get("/shipping/settings")
    def _settings() -> Response:
        return _answer(store.settings())


def _answer(settings: Settings) -> Response:
    return jsonify(SettingsAnswer(active=settings.active, maintenance_mode=not settings.active).to_json())
