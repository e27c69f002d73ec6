"""Simulated users: customers who answer, approvers who decide, couriers who deliver."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from services.common.dapr.sidecar import RefusedError, TransientError
from services.common.json_models import Json
from services.common.states import OrderStatus
from services.load_generator.order_api import OrderApi
from services.load_generator.run_stats import FINAL, RunStats, StreamOrder
from services.load_generator.schedule import Schedule, Task
from services.load_generator.settings import StreamSettings

APPROVER = "stream-approver"
NEXT_REPORT = {"booked": "dispatched", "dispatched": "delivered"}
"""What a courier reports next, by the status of the shipment."""

_MAX_PER_SCAN = 20
"""Orders that one scan reads: when many orders wait because of overload, more reads would add to it."""


class SimulatedUsers:
    """Act on the orders of a run when an event asks for it, and when a scan finds an order that waits.

    An event may come late or, across a restart of the console, never; both ways lead to the same tasks, and each task
    is planned once. A call without an answer is repeated after `retry_after` seconds.
    """

    def __init__(
        self, settings: StreamSettings, api: OrderApi, stats: RunStats, schedule: Schedule, retry_after: float
    ) -> None:
        self._settings, self._api, self._stats, self._schedule = settings, api, stats, schedule
        self._retry_after = retry_after

    def on_accepted(self, order: StreamOrder) -> None:
        """Plan the cancellation of a new order if its customer cancels without being asked."""
        after = order.behavior.cancels_after
        if after is not None:
            self._plan(order, "cancel", after, lambda: self._api.act(order.id, "cancel"))

    def on_event(self, event: Json) -> None:
        """Handle an event of the feed."""
        order = self._stats.changed(str(event.get("orderId")))
        if order is None:
            return
        subject, _, status = str(event.get("type")).partition(".")
        if subject == "order":
            self._on_order_status(order, status)
        elif subject == "shipment":
            self._on_shipment_status(order, str(event.get("fulfillmentId")), status)

    def scan(self, orders: Sequence[StreamOrder]) -> None:
        """Read the statuses of orders that wait, and act on them. Raises TransientError and RefusedError."""
        waiting = {order.id: order for order in orders[:_MAX_PER_SCAN]}
        for line in self._api.orders_by_id(list(waiting)):
            order, status = waiting[line["id"]], line["status"]
            self._stats.changed(order.id)
            if status == OrderStatus.PROCESSING:
                self._schedule.later(0, partial(self._scan_shipments, order))
            else:
                self._on_order_status(order, status)

    def _scan_shipments(self, order: StreamOrder) -> None:
        # The next scan reads an order that cannot be read now.
        with suppress(RefusedError, TransientError):
            for fulfillment in self._api.order(order.id).get("fulfillments") or []:
                shipment = fulfillment.get("shipment") or {}
                self._on_shipment_status(order, str(shipment.get("id")), str(shipment.get("status")))

    def _on_order_status(self, order: StreamOrder, status: str) -> None:
        behavior = order.behavior
        if status in FINAL:
            self._stats.ended(order.id, status)
        elif status == OrderStatus.CUSTOMER_ACTION_REQUIRED and behavior.customer_action is not None:
            action = behavior.customer_action
            self._plan(order, "answer", 0, lambda: self._api.act(order.id, action))
        elif status == OrderStatus.APPROVAL_REQUIRED and behavior.approves is not None:
            approves = behavior.approves
            self._plan(order, "approve", 0, lambda: self._api.approve(order.id, APPROVER, approves))

    def _on_shipment_status(self, order: StreamOrder, shipment_id: str, status: str) -> None:
        report = NEXT_REPORT.get(status)
        if report is not None:
            after = self._settings.dispatch_after if report == "dispatched" else self._settings.deliver_after
            self._plan(order, f"{report} {shipment_id}", after, lambda: self._api.report(shipment_id, report))

    def _plan(self, order: StreamOrder, name: str, after: float, call: Task) -> None:
        if self._stats.plan(order, name):
            self._schedule.later(after, lambda: self._run(order, call))

    def _run(self, order: StreamOrder, call: Task) -> None:
        try:
            # A refusal is expected: another user was faster, or the order has moved on.
            with suppress(RefusedError):
                call()
        except TransientError:
            self._schedule.later(self._retry_after, lambda: self._run(order, call))
        else:
            self._stats.done(order)
