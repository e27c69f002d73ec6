"""The customer's pages: order, see what becomes of it, decide."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from flask import Blueprint, render_template, request, url_for
from werkzeug.wrappers import Response

from services.common.dapr.sidecar import RefusedError
from services.common.identity import Role
from services.common.json_models import Json, Name, Request
from services.common.web.base_app import parse
from services.common.web.problems import Problem
from services.web.auth.current_user import called, known_as, remember
from services.web.clients.backend import Backend
from services.web.clients.parallel_calls import Outcome, SideBySide
from services.web.pages import done, show, wants_part
from services.web.views.product_names import Titles, title_of
from services.web.views.shopping import new_order_id, price_news, read_lines, samples, seen_prices

_ROLE = Role.CUSTOMER
_NOBODY_YET = "1234"
_LISTED = 25


class CustomerName(Request):
    """Who somebody wants to be, where nobody needs to log in, or an operator does."""

    customer: Name


def customer_routes(backend: Backend, calls: SideBySide, dear_from: int) -> Blueprint:
    """Return the customer's pages; `dear_from` is the worth from which on an order needs an approval."""
    routes = Blueprint("customer", __name__, url_prefix="/shop")
    _register_shop(routes, backend, calls, dear_from)
    _register_orders(routes, backend, Titles(backend.items))
    return routes


def _register_shop(routes: Blueprint, backend: Backend, calls: SideBySide, dear_from: int) -> None:
    @routes.get("/goods")
    def goods() -> str:
        """Give what can be ordered alone, for a page that has been open for a while."""
        [catalogue] = calls.each(lambda call: call(), [backend.items])
        return render_template("customer/shop.html", layout="goods.html", **_offer(catalogue, dear_from))

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
        return show(
            "customer/shop.html",
            customer=customer,
            fixed=known_as(_ROLE) is not None,
            listed=listed,
            orders=orders,
            cursor=cursor_of_older,
            **_offer(catalogue, dear_from),
        )

    @routes.post("/customer")
    def be() -> Response:
        customer = parse(CustomerName, {"customer": request.form.get("customer", "").strip()}).customer
        return remember(done(url_for("customer.shop"), f"You are customer {customer} now."), _ROLE, customer)

    @routes.post("/orders")
    def place() -> Response:
        order_id, lines = request.form.get("order") or new_order_id(), read_lines(request.form)
        _place(backend, order_id, lines, seen_prices(request.form, lines))
        return done(url_for("customer.order", order_id=order_id), "We have your order.")


def _register_orders(routes: Blueprint, backend: Backend, titles: Titles) -> None:
    @routes.get("/orders/<order_id>")
    def order(order_id: str) -> str:
        found, timeline = backend.order(order_id), backend.timeline(order_id)
        return show("customer/order.html", order=found, timeline=timeline, titles=titles.of())

    @routes.post("/orders/<order_id>/action")
    def act(order_id: str) -> Response:
        action = request.form.get("action", "")
        backend.act(order_id, action)
        said = {"amend": "We send you the rest.", "cancel": "We cancel your order."}.get(action, "Done.")
        return done(url_for("customer.order", order_id=order_id), said)


def _offer(catalogue: Outcome[list[Json]], dear_from: int) -> dict[str, Any]:
    goods = catalogue.value or []
    chosen = samples(goods, Random(), dear_from)  # noqa: S311 - which shoes are shown is no secret
    titles = {item["sku"]: title_of(item) for item in goods}
    return {
        "catalogue": catalogue,
        "items": goods,
        "samples": chosen,
        "cart_id": new_order_id(),
        "titles": titles,
    }


def _place(backend: Backend, order_id: str, lines: Mapping[str, int], seen: Mapping[str, int] | None) -> None:
    """Send an order in at the prices that its customer has seen. Raises the 422 in his words when one has changed."""
    expected = None if seen is None else sum(seen[sku] * quantity for sku, quantity in lines.items())
    try:
        backend.place(order_id, _customer(), lines, expected)
    except RefusedError as error:
        if seen is None or not _is_about_the_total(error):
            raise
        # An order whose answer got lost is in already, at the prices of then.
        if not backend.orders_by_id([order_id]):
            raise Problem(error.status, "priceChanged", price_news(seen, backend.items())) from error


def _is_about_the_total(error: RefusedError) -> bool:
    listed = error.body.get("errors")
    return isinstance(listed, list) and [one.get("field") for one in listed] == ["total"]


def _customer() -> str:
    """Return who the person says to be."""
    return called(_ROLE) or _NOBODY_YET
