"""The support pages: search for an order, and all details of an order."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from services.common.json_models import Json
from services.web.clients.backend import Backend
from services.web.clients.parallel_calls import ParallelCalls
from services.web.pages import render_page
from services.web.views.support import history_events, step_rows, trace_url

_PAGE_SIZE = 25


def support_routes(backend: Backend, calls: ParallelCalls, zipkin: str) -> Blueprint:
    """Return the support pages; `zipkin` is the base URL of the traces."""
    routes = Blueprint("support", __name__, url_prefix="/support")

    @routes.get("/")
    def search() -> str | Response:
        query, customer = request.args.get("q", "").strip(), request.args.get("customer", "").strip()
        if query:
            return _redirect_to_result(query)
        orders, cursor = list[Json](), None
        if customer:
            orders, cursor = backend.orders(_PAGE_SIZE, request.args.get("cursor"), customerId=customer)
        return render_page("support/search.html", customer=customer, orders=orders, cursor=cursor)

    @routes.get("/orders/<order_id>")
    def order(order_id: str) -> str:
        order = backend.order(order_id)
        reads: list[Callable[[str], Any]] = [backend.timeline, backend.events, backend.history, backend.ledger]
        timeline, events, history, ledger = calls.map(lambda read: read(order_id), reads)
        return render_page(
            "support/order.html",
            order=order,
            timeline=timeline,
            events=events,
            steps=step_rows(order_id, timeline.value or [], events.value),
            history=history,
            instances=[(instance, history_events(instance)) for instance in history.value or []],
            ledger=ledger,
            trace=trace_url(zipkin, order.get("traceId")),
        )

    def _redirect_to_result(query: str) -> Response:
        """Redirect to the order with this id, otherwise to the orders of this customer."""
        if any(line["id"] == query for line in backend.orders_by_id([query])):
            return redirect(url_for("support.order", order_id=query))
        return redirect(url_for("support.search", customer=query))

    return routes
