"""Inventory's HTTP interface: parse, call, answer."""

from flask import Flask, Response, jsonify, request
from pydantic import TypeAdapter, ValidationError

from services.common.ids import OrderId
from services.common.json_models import Name
from services.common.logs import about_order
from services.common.web.base_app import parse, read_body, read_object, read_optional_object
from services.common.web.problems import not_found
from services.inventory import domain, reserving
from services.inventory.models import Ending, EndRequest, ItemRequest, ReserveRequest, RestockRequest
from services.inventory.store import InventoryStore

_ORDER_ID: TypeAdapter[str] = TypeAdapter(OrderId)
_SKU: TypeAdapter[str] = TypeAdapter(Name)


def register(app: Flask, store: InventoryStore) -> None:
    """Add inventory's routes to the application."""
    _register_items(app, store)
    _register_reservations(app, store)


def _register_items(app: Flask, store: InventoryStore) -> None:
    @app.get("/inventory")
    def _items() -> Response:
        return jsonify([domain.show_item(item).to_json() for item in store.items()])

    @app.get("/inventory/<sku>")
    def _item(sku: str) -> Response:
        return jsonify(domain.show_item(store.item(_known_shape(_SKU, "SKU", sku))).to_json())

    @app.put("/inventory/<sku>")
    def _put_item(sku: str) -> tuple[Response, int]:
        item, created = store.put_item(parse(ItemRequest, read_object() | {"sku": sku}))
        return jsonify(domain.show_item(item).to_json()), 201 if created else 200

    @app.post("/inventory/<sku>/restock")
    def _restock(sku: str) -> Response:
        key = {"Idempotency-Key": request.headers.get("Idempotency-Key")}
        body = parse(RestockRequest, read_object() | key)
        return jsonify(domain.show_item(store.restock(_known_shape(_SKU, "SKU", sku), body)).to_json())


def _register_reservations(app: Flask, store: InventoryStore) -> None:
    @app.post("/reservations")
    def _reserve() -> Response:
        body = read_body(ReserveRequest)
        with about_order(body.order_id):
            reservation = store.reserve(body.order_id, reserving.merged(body.lines))
        return jsonify(reserving.show_reservation(reservation).to_json())

    @app.get("/reservations/<order_id>")
    def _reservation(order_id: str) -> Response:
        reservation = store.reservation(_known_shape(_ORDER_ID, "reservation of order", order_id))
        if reservation is None:
            raise not_found("reservation of order", order_id)
        return jsonify(reserving.show_reservation(reservation).to_json())

    @app.post("/reservations/<order_id>/release")
    def _release(order_id: str) -> Response:
        return _end(order_id, Ending.RELEASE)

    @app.post("/reservations/<order_id>/commit")
    def _commit(order_id: str) -> Response:
        return _end(order_id, Ending.COMMIT)

    def _end(order_id: str, end: Ending) -> Response:
        body = read_optional_object()
        asked = parse(EndRequest, body | {"orderId": order_id})
        with about_order(asked.order_id):
            reservation = store.end(asked.order_id, end, asked.fulfillments)
        return jsonify(reserving.show_reservation(reservation).to_json())


def _known_shape(shape: TypeAdapter[str], what: str, key: str) -> str:
    """Return the key from a path. Raises the 404 for one that no such thing can have."""
    try:
        return shape.validate_python(key)
    except ValidationError as error:
        raise not_found(what, key) from error
