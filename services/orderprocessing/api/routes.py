"""The order and shipment APIs over HTTP: parse, call, answer."""

from collections.abc import Callable, Sequence
from typing import Protocol

from flask import Blueprint, Response, jsonify, request

from services.common.auth.access import only_customer, person
from services.common.clock import Clock
from services.common.logs import about_order
from services.common.web.base_app import paginated, parse, read_body, read_limit, read_object
from services.common.web.problems import Problem, invalid, not_found
from services.orderprocessing.api.order_parser import read_draft
from services.orderprocessing.api.schemas import UNREADABLE
from services.orderprocessing.api.views import order_view, shipment_view, timeline_view
from services.orderprocessing.application.order_queries import OrderQueries, OrderSummaries
from services.orderprocessing.application.order_service import OrderService
from services.orderprocessing.domain.fulfillment_rules import find
from services.orderprocessing.domain.order import ActionRequest, ApprovalRequest, JsonObject, Order, ShipmentRequest
from services.orderprocessing.domain.states import OrderStatus, ShipmentStatus

_MAX_BATCH = 1000
_MAX_KEY = 255


class Observer(Protocol):
    """The part of the workflow engine that is needed here."""

    def workflow_state(self, order_id: str) -> JsonObject | None:
        """Return what the engine says of an order's workflow, or None when it does not answer in time."""

    def history(self, instances: Sequence[str]) -> list[JsonObject]:
        """Return what happened in those of the workflow instances that exist. Raises TransientError."""

    def workers(self) -> int:
        """Return how many workers are connected."""


def order_routes(
    service: OrderService, queries: OrderQueries, engine: Observer, clock: Clock, admit: Callable[[], None]
) -> Blueprint:
    """Return the order API; `admit` raises the problem for a new order that must wait."""
    routes = Blueprint("orders", __name__)

    @routes.post("/orders")
    def accept() -> tuple[Response, int, dict[str, str]]:
        admit()
        draft = read_draft(read_object())
        _require_own(draft.customer_id)
        order = service.accept(draft, clock(), _idempotency_key())
        return jsonify(order_view(order, None)), 202, {"Location": f"{request.host_url}orders/{order.id}"}

    @routes.get("/orders")
    def list_orders() -> Response:
        limit, status, cursor = read_limit(), _status(), request.args.get("cursor")
        if "ids" in request.args:
            found = queries.orders_by_id(_ids())
            answer = jsonify([line for line in found.items if _is_shown(line["customerId"])])
            return _telling_what_lacks(answer, found)
        customer = request.args.get("customerId", only_customer())
        if customer is not None and not _is_shown(customer):
            return jsonify([])
        found, page = queries.orders(limit, cursor, status, customer)
        return _telling_what_lacks(paginated(found.items, page), found)

    @routes.get("/orders/<order_id>")
    def show(order_id: str) -> Response:
        order = _shown(service, order_id)
        return jsonify(order_view(order, engine.workflow_state(order_id)))

    @routes.get("/orders/<order_id>/timeline")
    def timeline(order_id: str) -> Response:
        return jsonify(timeline_view(_shown(service, order_id)))

    @routes.get("/orders/<order_id>/history")
    def history(order_id: str) -> Response:
        return jsonify(engine.history(service.instances(order_id)))

    return routes


def decision_routes(service: OrderService) -> Blueprint:
    """Return what the customer and the approver decide by."""
    routes = Blueprint("decisions", __name__)

    @routes.post("/orders/<order_id>/action")
    def act(order_id: str) -> tuple[Response, int]:
        _shown(service, order_id)
        with about_order(order_id):
            return _accepted(service.act(order_id, read_body(ActionRequest).action))

    @routes.post("/orders/<order_id>/approve")
    def approve(order_id: str) -> tuple[Response, int]:
        service.order(order_id)
        decision = parse(ApprovalRequest, read_object() | _authenticated_approver())
        with about_order(order_id):
            return _accepted(service.approve(order_id, decision.approver, decision.approved))

    return routes


def figure_routes(queries: OrderQueries, engine: Observer) -> Blueprint:
    """Return the figures."""
    routes = Blueprint("figures", __name__)

    @routes.get("/orders/stats")
    def order_stats() -> Response:
        rate = queries.complete_rate()
        return jsonify(workerCount=engine.workers(), backlog=queries.order_backlog(), completeRate=round(rate, 3))

    @routes.get("/charge/stats")
    def charge_stats() -> Response:
        return jsonify(workerCount=engine.workers(), backlog=queries.charge_backlog())

    @routes.get("/shipments/stats")
    def shipment_stats() -> Response:
        return jsonify(workerCount=engine.workers(), backlog=queries.shipment_backlog())

    return routes


def shipment_routes(service: OrderService, queries: OrderQueries) -> Blueprint:
    """Return the shipment API."""
    routes = Blueprint("shipments", __name__)

    @routes.get("/shipments")
    def list_shipments() -> Response:
        return paginated(*queries.shipments(read_limit(), request.args.get("cursor"), pending=False))

    @routes.get("/shipments/pending")
    def list_pending() -> Response:
        return paginated(*queries.shipments(read_limit(), request.args.get("cursor"), pending=True))

    @routes.get("/shipments/<shipment_id>")
    def show(shipment_id: str) -> Response:
        _, one, shipment = service.shipment(shipment_id)
        return jsonify(shipment_view(one, shipment))

    @routes.post("/shipments/<shipment_id>/status")
    def report(shipment_id: str) -> tuple[Response, int]:
        order, _, _ = service.shipment(shipment_id)
        status = ShipmentStatus(read_body(ShipmentRequest).status)
        with about_order(order.id):
            one, _, shipment = find(service.report(order.id, shipment_id, status), shipment_id)
        return jsonify(shipment_view(one, shipment)), 202

    return routes


def _telling_what_lacks(answer: Response, found: OrderSummaries) -> Response:
    """Have an answer say how many orders it lacks that cannot be read: they are not to be taken for none."""
    if found.unreadable:
        answer.headers[UNREADABLE] = str(found.unreadable)
    return answer


def _shown(service: OrderService, order_id: str) -> Order:
    """Return an order. Raises the 404, also for the order of another customer than the one who asks."""
    order = service.order(order_id)
    if not _is_shown(order.customer_id):
        raise not_found("order", order_id)
    return order


def _is_shown(customer_id: str) -> bool:
    return only_customer() in {None, customer_id}


def _require_own(customer_id: str) -> None:
    if not _is_shown(customer_id):
        raise Problem(403, "notYours", "a customer orders for himself: customerId must be the name of the API key")


def _authenticated_approver() -> JsonObject:
    """Return who approves, where that is known: whatever the request says, it is the person who sent it."""
    somebody = person()
    return {"approver": somebody.name} if somebody else {}


def _accepted(order: Order) -> tuple[Response, int]:
    return jsonify(order_view(order, None)), 202


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    # The IETF draft writes the key as a quoted string; a bare one is what most clients send.
    key = key.strip().strip('"')
    if not 1 <= len(key) <= _MAX_KEY or not key.isprintable():
        raise invalid(("Idempotency-Key", f"must hold 1 to {_MAX_KEY} printable characters"))
    return key


def _ids() -> list[str]:
    ids = [one for one in request.args.get("ids", "").split(",") if one]
    if len(ids) > _MAX_BATCH:
        raise invalid(("ids", f"at most {_MAX_BATCH} at once"))
    return ids


def _status() -> OrderStatus | None:
    text = request.args.get("status")
    if text is None:
        return None
    try:
        return OrderStatus(text)
    except ValueError as error:
        raise invalid(("status", f"must be one of {', '.join(OrderStatus)}")) from error
