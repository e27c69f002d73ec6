"""The store manager's page: stock, prices, the spending limit, maintenance and the ledger."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from services.common.json_models import Request
from services.common.web.base_app import parse
from services.common.web.problems import conflict
from services.web.clients.backend import Backend
from services.web.clients.parallel_calls import Outcome, ParallelCalls
from services.web.pages import form_fields, form_succeeded, render_page
from services.web.views.shopping import format_amount
from services.web.views.stock import (
    NewItem,
    Reprice,
    Restock,
    SpendingLimit,
    Switch,
    format_major_units,
    locations,
    new_form_key,
)

T = TypeVar("T", bound=Request)


def store_routes(backend: Backend, calls: ParallelCalls) -> Blueprint:
    """Return the store manager's pages."""
    routes = Blueprint("store", __name__, url_prefix="/store")

    @routes.get("/")
    def store() -> str:
        order_id = request.args.get("order", "").strip()
        reads: list[Callable[[], Any]] = [backend.items, backend.fraud_settings, backend.shipping_settings]
        if order_id:
            reads += [lambda: backend.ledger(order_id), lambda: backend.orders_by_id([order_id])]
        # Each card shows its own problem, so one unavailable service does not affect the other cards.
        stock, fraud, shipping, *looked_up = calls.map(lambda read: read(), reads)
        return render_page(
            "store/store.html",
            stock=stock,
            items=stock.value or [],
            locations=locations(stock.value or []),
            fraud=fraud,
            shipping=shipping,
            ledger=looked_up[0] if looked_up else Outcome(),
            # Only an empty answer means that the order does not exist; a failed call does not.
            order_missing=bool(looked_up) and looked_up[1].value == [],
            order_id=order_id,
            form_key=new_form_key(),
            format_major_units=format_major_units,
        )

    _register_goods(routes, backend)
    _register_settings(routes, backend)
    return routes


def _register_goods(routes: Blueprint, backend: Backend) -> None:
    @routes.post("/restock")
    def restock() -> Response:
        form = _form(Restock)
        backend.restock(form.sku, form.warehouse, form.quantity, form.key())
        return _succeeded(f"Added {form.quantity} of {form.sku} to {form.warehouse}.")

    @routes.post("/prices")
    def reprice() -> Response:
        form = _form(Reprice)
        backend.reprice(form.sku, form.item())
        return _succeeded(f"The price of {form.sku} is now {format_amount(form.price)}.")

    @routes.post("/items")
    def add_item() -> Response:
        form = _form(NewItem)
        existing = next((item for item in backend.items() if item["sku"] == form.sku), None)
        if existing and not form.matches(existing):
            raise conflict("itemExists", f"the item {form.sku} already exists; change its price instead")
        backend.reprice(form.sku, form.item())
        return _succeeded(f"Added {form.sku} to the catalogue. It has no stock yet.")


def _register_settings(routes: Blueprint, backend: Backend) -> None:
    @routes.post("/fraud/limit")
    def limit() -> Response:
        amount = _form(SpendingLimit).limit
        backend.set_fraud_limit(amount)
        return _succeeded(
            f"The spending limit for each customer is now {format_amount(amount)}."
            if amount
            else "There is no spending limit now."
        )

    @routes.post("/fraud/maintenance")
    def maintenance() -> Response:
        turn = _form(Switch).turn
        backend.set_fraud_maintenance(turn == "on")
        return _succeeded(f"Maintenance of the fraud check is {turn}.")

    @routes.post("/fraud/reset")
    def reset() -> Response:
        backend.reset_fraud()
        return _succeeded("Customer totals, spending limit and maintenance of the fraud check have been reset.")

    @routes.post("/shipping")
    def shipping() -> Response:
        active = _form(Switch).turn == "on"
        backend.set_shipping(active)
        return _succeeded("Couriers can be booked." if active else "Couriers can no longer be booked.")


def _form(kind: type[T]) -> T:
    """Return the form's content. Raises the problem 422, which names every invalid field."""
    return parse(kind, {field: text.strip() for field, text in form_fields().items()})


def _succeeded(message: str) -> Response:
    return form_succeeded(url_for("store.store", order=request.args.get("order")), message)
