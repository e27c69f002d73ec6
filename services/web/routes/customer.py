"""The customer's pages: order, see what becomes of it, decide."""

from random import Random

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from services.common.models import Name, Request
from services.common.web import parse
from services.web.backend import Backend, Json
from services.web.pages import done, show, wants_part
from services.web.shopping import new_order_id, read_lines, samples
from services.web.who import called, remember

_ROLE = "customer"
_NOBODY_YET = "1234"
_LISTED = 25


class CustomerName(Request):
    """Who somebody wants to be; there is no password in a demonstration."""

    customer: Name


def customer_routes(backend: Backend) -> Blueprint:
    """Return the customer's pages."""
    routes = Blueprint("customer", __name__, url_prefix="/shop")

    @routes.get("/")
    def shop() -> str:
        customer = _customer()
        orders, cursor = backend.orders(_LISTED, request.args.get("cursor"), customerId=customer)
        goods: list[Json] = [] if wants_part() else backend.items()
        return show(
            "customer/shop.html",
            customer=customer,
            orders=orders,
            cursor=cursor,
            items=goods,
            samples=samples(goods, Random()),  # noqa: S311 - which shoes are shown is no secret
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
