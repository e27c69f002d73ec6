"""The store manager's page: stock, prices, limits, maintenance and the ledger."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from services.common.json_models import Request
from services.common.web.base_app import parse
from services.common.web.problems import conflict
from services.web.clients.backend import Backend
from services.web.clients.parallel_calls import Outcome, SideBySide
from services.web.pages import done, form_fields, show
from services.web.views.shopping import worth
from services.web.views.stock import NewItem, Reprice, Restock, SpendingLimit, Switch, locations, major, new_form_key

T = TypeVar("T", bound=Request)


def store_routes(backend: Backend, calls: SideBySide) -> Blueprint:
    """Return the store manager's pages."""
    routes = Blueprint("store", __name__, url_prefix="/store")

    @routes.get("/")
    def store() -> str:
        order_id = request.args.get("order", "").strip()
        wanted: list[Callable[[], Any]] = [backend.items, backend.fraud_settings, backend.shipping_settings]
        if order_id:
            wanted += [lambda: backend.ledger(order_id), lambda: backend.orders_by_id([order_id])]
        # Each card shows its own trouble: one service that is away does not take the others' cards with it.
        stock, fraud, shipping, *looked_up = calls.each(lambda call: call(), wanted)
        return show(
            "store/store.html",
            stock=stock,
            items=stock.value or [],
            locations=locations(stock.value or []),
            fraud=fraud,
            shipping=shipping,
            ledger=looked_up[0] if looked_up else Outcome(),
            # An order that the list cannot be asked for is not known to be none.
            no_order=bool(looked_up) and looked_up[1].value == [],
            order_id=order_id,
            form_key=new_form_key(),
            major=major,
        )

    _register_goods(routes, backend)
    _register_settings(routes, backend)
    return routes


def _register_goods(routes: Blueprint, backend: Backend) -> None:
    @routes.post("/restock")
    def restock() -> Response:
        form = _form(Restock)
        backend.restock(form.sku, form.warehouse, form.quantity, form.key())
        return _done(f"{form.warehouse} has {form.quantity} more of {form.sku}.")

    @routes.post("/prices")
    def reprice() -> Response:
        form = _form(Reprice)
        backend.reprice(form.sku, form.item())
        return _done(f"{form.sku} costs {worth(form.price)} from now on.")

    @routes.post("/items")
    def add() -> Response:
        form = _form(NewItem)
        known = next((item for item in backend.items() if item["sku"] == form.sku), None)
        if known and not form.is_like(known):
            raise conflict("itemExists", f"there is a {form.sku} already; change its price instead")
        backend.reprice(form.sku, form.item())
        return _done(f"{form.sku} is in the catalogue, without stock so far.")


def _register_settings(routes: Blueprint, backend: Backend) -> None:
    @routes.post("/fraud/limit")
    def limit() -> Response:
        amount = _form(SpendingLimit).limit
        backend.set_fraud_limit(amount)
        return _done(f"A customer may spend up to {worth(amount)}." if amount else "There is no spending limit.")

    @routes.post("/fraud/maintenance")
    def maintenance() -> Response:
        turn = _form(Switch).turn
        backend.set_fraud_maintenance(turn == "on")
        return _done(f"Maintenance of the fraud check is {turn}.")

    @routes.post("/fraud/reset")
    def reset() -> Response:
        backend.reset_fraud()
        return _done("Tallies, limit and maintenance of the fraud check are cleared.")

    @routes.post("/shipping")
    def shipping() -> Response:
        bookings = _form(Switch).turn == "on"
        backend.set_shipping(bookings)
        return _done("Couriers can be booked." if bookings else "No courier can be booked from now on.")


def _form(kind: type[T]) -> T:
    """Return what a person typed. Raises the 422 that names every wrong field."""
    return parse(kind, {field: text.strip() for field, text in form_fields().items()})


def _done(message: str) -> Response:
    return done(url_for("store.store", order=request.args.get("order")), message)
