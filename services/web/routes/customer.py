"""The customer's pages: the shop, and the status of an order."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from flask import Blueprint, render_template, request, url_for
from werkzeug.wrappers import Response

from services.common.dapr.sidecar import RefusedError
from services.common.identity import Role
from services.common.json_models import Json
from services.common.web.problems import Problem
from services.web.auth.current_user import choose_name, fixed_name, user_name
from services.web.clients.backend import Backend
from services.web.clients.parallel_calls import Outcome, ParallelCalls
from services.web.pages import form_succeeded, render_page, wants_part
from services.web.views.product_names import ProductNames, product_name
from services.web.views.shopping import example_orders, new_order_id, price_change_message, read_lines, shown_prices

_ROLE = Role.CUSTOMER
_DEFAULT_CUSTOMER = "1234"
_PAGE_SIZE = 25


def customer_routes(backend: Backend, calls: ParallelCalls, approval_threshold: int) -> Blueprint:
    """Return the customer's pages; orders of `approval_threshold` or more, in cents, need approval."""
    routes = Blueprint("customer", __name__, url_prefix="/shop")
    _register_shop(routes, backend, calls, approval_threshold)
    _register_orders(routes, backend, ProductNames(backend.items))
    return routes


def _register_shop(routes: Blueprint, backend: Backend, calls: ParallelCalls, approval_threshold: int) -> None:
    @routes.get("/goods")
    def goods() -> str:
        """Return the catalogue alone, with which a page that was open for a while updates itself."""
        [catalogue] = calls.map(lambda call: call(), [backend.items])
        return render_template("customer/shop.html", layout="goods.html", **_offer(catalogue, approval_threshold))

    @routes.get("/")
    def shop() -> str:
        customer, cursor = _customer(), request.args.get("cursor")
        reads: list[Callable[[], Any]] = [lambda: backend.orders(_PAGE_SIZE, cursor, customerId=customer)]
        if not wants_part():
            reads.append(backend.items)
        # Customers can see their orders without the catalogue, and can order without the list.
        listed, *catalogues = calls.map(lambda read: read(), reads)
        orders, next_cursor = listed.value or ([], None)
        catalogue = catalogues[0] if catalogues else Outcome()
        return render_page(
            "customer/shop.html",
            customer=customer,
            name_is_fixed=fixed_name(_ROLE) is not None,
            listed=listed,
            orders=orders,
            cursor=next_cursor,
            **_offer(catalogue, approval_threshold),
        )

    @routes.post("/customer")
    def set_customer() -> Response:
        return choose_name(_ROLE, "customer.shop", "You are now customer {}.")

    @routes.post("/orders")
    def place() -> Response:
        order_id, lines = request.form.get("order") or new_order_id(), read_lines(request.form)
        _place(backend, order_id, lines, shown_prices(request.form, lines))
        return form_succeeded(url_for("customer.order", order_id=order_id), "We have received your order.")


def _register_orders(routes: Blueprint, backend: Backend, product_names: ProductNames) -> None:
    @routes.get("/orders/<order_id>")
    def order(order_id: str) -> str:
        order, timeline = backend.order(order_id), backend.timeline(order_id)
        return render_page("customer/order.html", order=order, timeline=timeline, product_names=product_names.by_sku())

    @routes.post("/orders/<order_id>/action")
    def act(order_id: str) -> Response:
        action = request.form.get("action", "")
        backend.act(order_id, action)
        messages = {"amend": "We will send you the rest.", "cancel": "We are cancelling your order."}
        location = url_for("customer.order", order_id=order_id)
        return form_succeeded(location, messages.get(action, "Done."))


def _offer(catalogue: Outcome[list[Json]], approval_threshold: int) -> dict[str, Any]:
    items = catalogue.value or []
    return {
        "catalogue": catalogue,
        "items": items,
        "examples": example_orders(items, Random(), approval_threshold),  # noqa: S311 - not a secret
        "cart_id": new_order_id(),
        "product_names": {item["sku"]: product_name(item) for item in items},
    }


def _place(backend: Backend, order_id: str, lines: Mapping[str, int], prices: Mapping[str, int] | None) -> None:
    """Place an order at the prices that its customer has seen. Raises the problem 422 when one has changed."""
    expected = None if prices is None else sum(prices[sku] * quantity for sku, quantity in lines.items())
    try:
        backend.place(order_id, _customer(), lines, expected)
    except RefusedError as error:
        if prices is None or not _is_about_the_total(error):
            raise
        # An order whose answer was lost has been accepted, at the prices of that time.
        if not backend.orders_by_id([order_id]):
            message = price_change_message(prices, backend.items())
            raise Problem(error.status, "priceChanged", message) from error


def _is_about_the_total(error: RefusedError) -> bool:
    errors = error.body.get("errors")
    return isinstance(errors, list) and [item.get("field") for item in errors] == ["total"]


def _customer() -> str:
    """Return the customer that the user is."""
    return user_name(_ROLE) or _DEFAULT_CUSTOMER
