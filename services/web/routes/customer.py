"""The customer's pages: order, see what becomes of it, decide."""

from collections.abc import Callable
from random import Random
from typing import Any

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from services.common.models import Name, Request
from services.common.persons import Role
from services.common.web import parse
from services.web.backend import Backend
from services.web.calls import Outcome, SideBySide
from services.web.pages import done, show, wants_part
from services.web.shopping import new_order_id, read_lines, samples
from services.web.who import called, known_as, remember

_ROLE = Role.CUSTOMER
_NOBODY_YET = "1234"
_LISTED = 25


class CustomerName(Request):
    """Who somebody wants to be, where nobody needs to log in, or an operator does."""

    customer: Name


def customer_routes(backend: Backend, calls: SideBySide, dear_from: int) -> Blueprint:
    """Return the customer's pages; `dear_from` is the worth from which on an order needs an approval."""
    routes = Blueprint("customer", __name__, url_prefix="/shop")

    @routes.get("/")
    def shop() -> str:
        customer, cursor = _customer(), request.args.get("cursor")
        wanted: list[Callable[[], Any]] = [lambda: backend.orders(_LISTED, cursor, customerId=customer)]
        if not wants_part():
            wanted.append(backend.items)
        # One can look after one's orders while the catalogue is away, and order while the list is.
        listed, *catalogues = calls.each(lambda call: call(), wanted)
        orders, cursor_of_older = listed.value or ([], None)
        catalogue = catalogues[0] if catalogues else Outcome()
        goods = catalogue.value or []
        return show(
            "customer/shop.html",
            customer=customer,
            fixed=known_as(_ROLE) is not None,
            listed=listed,
            orders=orders,
            cursor=cursor_of_older,
            catalogue=catalogue,
            items=goods,
            samples=samples(goods, Random(), dear_from),  # noqa: S311 - which shoes are shown is no secret
            cart_id=new_order_id(),
        )

    @routes.post("/customer")
    def be() -> Response:
        customer = parse(CustomerName, {"customer": request.form.get("customer", "").strip()}).customer
        return remember(done(url_for("customer.shop"), f"You are customer {customer} now."), _ROLE, customer)

    @routes.post("/orders")
    def place() -> Response:
        order = backend.place(request.form.get("order") or new_order_id(), _customer(), read_lines(request.form))
        return done(url_for("customer.order", order_id=order["id"]), "We have your order.")

    @routes.get("/orders/<order_id>")
    def order(order_id: str) -> str:
        return show("customer/order.html", order=backend.order(order_id), timeline=backend.timeline(order_id))

    @routes.post("/orders/<order_id>/action")
    def act(order_id: str) -> Response:
        action = request.form.get("action", "")
        backend.act(order_id, action)
        said = {"amend": "We send you the rest.", "cancel": "We cancel your order."}.get(action, "Done.")
        return done(url_for("customer.order", order_id=order_id), said)

    return routes


def _customer() -> str:
    """Return who the person says to be."""
    return called(_ROLE) or _NOBODY_YET
