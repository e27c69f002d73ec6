"""Support's pages: find an order, and see everything about it."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from services.common.json_models import Json
from services.web.clients.backend import Backend
from services.web.clients.parallel_calls import SideBySide
from services.web.pages import show
from services.web.views.support import happenings, records, trace_address

_LISTED = 25


def support_routes(backend: Backend, calls: SideBySide, zipkin: str) -> Blueprint:
    """Return support's pages; `zipkin` is where traces are shown."""
    routes = Blueprint("support", __name__, url_prefix="/support")

    @routes.get("/")
    def find() -> str | Response:
        asked, customer = request.args.get("q", "").strip(), request.args.get("customer", "").strip()
        if asked:
            return _found(asked)
        orders, cursor = list[Json](), None
        if customer:
            orders, cursor = backend.orders(_LISTED, request.args.get("cursor"), customerId=customer)
        return show("support/find.html", customer=customer, orders=orders, cursor=cursor)

    @routes.get("/orders/<order_id>")
    def order(order_id: str) -> str:
        found = backend.order(order_id)
        wanted: list[Callable[[str], Any]] = [backend.timeline, backend.events, backend.history, backend.ledger]
        timeline, events, history, ledger = calls.each(lambda ask: ask(order_id), wanted)
        return show(
            "support/order.html",
            order=found,
            timeline=timeline,
            events=events,
            happenings=happenings(order_id, timeline.value or [], events.value),
            history=history,
            instances=[(instance, records(instance)) for instance in history.value or []],
            ledger=ledger,
            trace=trace_address(zipkin, found.get("traceId")),
        )

    def _found(asked: str) -> Response:
        """Lead to the order of this id, else to the orders of this customer."""
        if any(line["id"] == asked for line in backend.orders_by_id([asked])):
            return redirect(url_for("support.order", order_id=asked))
        return redirect(url_for("support.find", customer=asked))

    return routes
