"""The order API over HTTP: orders, decisions about them, and figures."""

from collections.abc import Callable, Sequence
from typing import Protocol

from flask import request

from services.common.auth.access import only_customer
from services.common.clock import Clock
from services.common.dapr.sidecar import TransientError
from services.common.identity import Role
from services.common.logs import about_order
from services.common.web import api
from services.common.web.access_rules import CONSOLE, people
from services.common.web.api import Reply
from services.common.web.base_app import parse
from services.common.web.openapi import IDEMPOTENCY_KEY, NEXT, Link
from services.common.web.paging import next_link
from services.common.web.problems import invalid
from services.orderprocessing.api.order_document import ORDER_BODY
from services.orderprocessing.api.order_parser import read_draft
from services.orderprocessing.api.ownership import authenticated_approver, is_visible, require_own, visible_order
from services.orderprocessing.api.queries import OrdersQuery
from services.orderprocessing.api.schemas import (
    UNREADABLE,
    Figures,
    InstanceHistory,
    OrderAnswer,
    OrderFigures,
    OrderLine,
    TimelineStep,
    last_known_workflow,
    order_answer,
    timeline_answer,
)
from services.orderprocessing.application.order_queries import OrderQueries, OrderSummaries
from services.orderprocessing.application.order_service import OrderService
from services.orderprocessing.domain.order import ActionRequest, ApprovalRequest, JsonObject

_CUSTOMERS = people(Role.CUSTOMER, apps=(CONSOLE,))
_APPROVERS = people(Role.APPROVER, apps=(CONSOLE,))
_READERS = people(Role.CUSTOMER, Role.APPROVER, apps=(CONSOLE,))
_OPERATORS = people(apps=(CONSOLE,))

_MAX_KEY = 255

_BY_ORDER = {"orderId": "$response.body#/id"}
_BY_FIRST_FULFILLMENT = {"shipmentId": "$response.body#/fulfillments/0/id"}
_LINKS = [
    *[Link(name, _BY_ORDER) for name in ("showOrder", "showTimeline", "actOnOrder", "approveOrder")],
    *[Link(name, _BY_FIRST_FULFILLMENT) for name in ("showShipment", "reportShipment")],
]


class Observer(Protocol):
    """The part of the workflow engine that the API needs."""

    def workflow_state(self, order_id: str) -> JsonObject | None:
        """Return the state of an order's workflow, None if it does not exist.

        Raises TransientError when the engine does not answer in time, and while no worker lives.
        """

    def history(self, instances: Sequence[str]) -> list[JsonObject]:
        """Return the histories of those of the workflow instances that exist. Raises TransientError."""

    def workers(self) -> int:
        """Return how many workers live."""


class OrderRoutes:
    """Orders; `admit` raises the problem for a new order while there are too many."""

    def __init__(
        self, service: OrderService, queries: OrderQueries, engine: Observer, clock: Clock, admit: Callable[[], None]
    ) -> None:
        self._service, self._queries, self._engine = service, queries, engine
        self._clock, self._admit = clock, admit

    @api.post(
        "/orders",
        "Place an order; once it is answered, no crash can lose it",
        allow=_CUSTOMERS,
        body=ORDER_BODY,
        status=202,
        parameters=[IDEMPOTENCY_KEY],
        errors=[409],
        headers={"Location": "the order's address"},
        links=_LINKS,
    )
    def place_order(self, body: JsonObject) -> Reply[OrderAnswer]:
        """Accept an order."""
        self._admit()
        draft = read_draft(body)
        require_own(draft.customer_id)
        order = self._service.accept(draft, self._clock(), _idempotency_key())
        return Reply(
            order_answer(order, last_known_workflow(order)),
            headers={"Location": f"{request.host_url}orders/{order.id}"},
        )

    @api.get(
        "/orders",
        "Orders, newest first",
        allow=_READERS,
        errors=[422],
        headers={**NEXT, UNREADABLE: "how many orders are left out that cannot be read; each by itself is a 503"},
    )
    def list_orders(self, query: OrdersQuery) -> Reply[list[OrderLine]]:
        """Return a page of orders, or the orders whose ids the query lists."""
        if query.ids is not None:
            found = self._queries.orders_by_id(query.order_ids)
            return _lines(found, [line for line in found.items if is_visible(line["customerId"])], {})
        customer = only_customer() if query.customer_id is None else query.customer_id
        if customer is not None and not is_visible(customer):
            return Reply([])
        found, page = self._queries.orders(query.limit, query.cursor, query.status, customer)
        return _lines(found, found.items, next_link(page))

    @api.get("/orders/<order_id>", "An order", allow=_READERS, errors=[404], links=_LINKS)
    def show_order(self, order_id: str) -> OrderAnswer:
        """Return an order; its workflow is null while the engine does not answer, for example without a worker."""
        order = visible_order(self._service, order_id)
        try:
            return order_answer(order, self._engine.workflow_state(order_id) or last_known_workflow(order))
        except TransientError:
            return order_answer(order, None)

    @api.get("/orders/<order_id>/timeline", "Every step of an order, oldest first", allow=_READERS, errors=[404])
    def show_timeline(self, order_id: str) -> list[TimelineStep]:
        """Return the steps of an order."""
        return timeline_answer(visible_order(self._service, order_id))

    @api.get(
        "/orders/<order_id>/history",
        "The engine's history of the order's workflows",
        allow=people(),
        errors=[404],
    )
    def show_history(self, order_id: str) -> list[InstanceHistory]:
        """Return the histories of an order's workflow instances."""
        instances = self._service.instances(order_id)
        return [InstanceHistory.model_validate(instance) for instance in self._engine.history(instances)]


class DecisionRoutes:
    """Decisions of the customer and of the approver."""

    def __init__(self, service: OrderService) -> None:
        self._service = service

    @api.post(
        "/orders/<order_id>/action",
        "The customer's decision",
        allow=_CUSTOMERS,
        status=202,
        errors=[404, 409],
        links=_LINKS,
    )
    def act_on_order(self, order_id: str, body: ActionRequest) -> OrderAnswer:
        """Record the customer's decision."""
        visible_order(self._service, order_id)
        with about_order(order_id):
            order = self._service.act(order_id, body.action)
        return order_answer(order, last_known_workflow(order))

    @api.post(
        "/orders/<order_id>/approve",
        "The approver's decision",
        allow=_APPROVERS,
        body=ApprovalRequest,
        status=202,
        errors=[404, 409],
        links=_LINKS,
    )
    def approve_order(self, order_id: str, body: JsonObject) -> OrderAnswer:
        """Record the approver's decision."""
        self._service.order(order_id)
        decision = parse(ApprovalRequest, body | authenticated_approver())
        with about_order(order_id):
            order = self._service.approve(order_id, decision.approver, decision.approved)
        return order_answer(order, last_known_workflow(order))


class FigureRoutes:
    """How many workers there are, and how much waits for them."""

    def __init__(self, queries: OrderQueries, engine: Observer) -> None:
        self._queries, self._engine = queries, engine

    @api.get("/orders/stats", "Workers, backlog and speed", allow=_OPERATORS)
    def order_figures(self) -> OrderFigures:
        """Return the figures of orders."""
        rate = round(self._queries.complete_rate(), 3)
        backlog = self._queries.order_backlog()
        return OrderFigures(worker_count=self._engine.workers(), backlog=backlog, complete_rate=rate)

    @api.get("/charge/stats", "Workers, and charges that wait", allow=_OPERATORS)
    def charge_figures(self) -> Figures:
        """Return the figures of charges."""
        return Figures(worker_count=self._engine.workers(), backlog=self._queries.charge_backlog())

    @api.get("/shipments/stats", "Workers, and open shipments", allow=_OPERATORS)
    def shipment_figures(self) -> Figures:
        """Return the figures of shipments."""
        return Figures(worker_count=self._engine.workers(), backlog=self._queries.shipment_backlog())


def _lines(found: OrderSummaries, lines: Sequence[JsonObject], headers: dict[str, str]) -> Reply[list[OrderLine]]:
    """Return the answer with these lines; a header counts the orders that cannot be read."""
    if found.unreadable:
        headers = {**headers, UNREADABLE: str(found.unreadable)}
    return Reply([OrderLine.model_validate(line) for line in lines], headers=headers)


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    # The IETF draft writes the key as a quoted string; most clients send it without quotes.
    key = key.strip().strip('"')
    if not 1 <= len(key) <= _MAX_KEY or not key.isprintable():
        raise invalid(("Idempotency-Key", f"must hold 1 to {_MAX_KEY} printable characters"))
    return key
