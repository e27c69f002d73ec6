"""The use cases of the API: accept orders, return them, and apply decisions and courier reports.

A decision is one compare-and-set on the order's record, which resolves every race. The signal to the waiting workflows
comes after it; if a crash comes between the two, the reconciler sends the signal.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from services.common.clock import rfc3339
from services.common.errors import InvalidError, NotAllowedError, NotFoundError, invalid_fields
from services.common.ids import split_fulfillment_id
from services.common.logs import get_logger
from services.common.money import CURRENCY
from services.common.states import OrderStatus, ShipmentStatus, is_final
from services.orderprocessing.adapters.order_repository import OrderRepository
from services.orderprocessing.application.idempotency import IdempotencyKeys, belongs_to
from services.orderprocessing.application.price_list import PriceList
from services.orderprocessing.domain import fulfillment_rules, order_rules
from services.orderprocessing.domain.draft import Draft
from services.orderprocessing.domain.ids import (
    charge_workflow_id,
    new_order_id,
    order_workflow_id,
    shipment_workflow_id,
)
from services.orderprocessing.domain.order import Fulfillment, Line, Order, Shipment
from services.orderprocessing.domain.timeline import CUSTOMER, add_signals, note

log = get_logger(__name__)


def new_order(order_id: str, draft: Draft, lines: list[Line], now: str) -> Order:
    """Return the record of a new order, with a pending signal for its workflow."""
    order = Order(
        id=order_id,
        customer_id=draft.customer_id,
        fingerprint=draft.fingerprint,
        received_at=now,
        updated_at=now,
        items=lines,
        pending_signals={order_workflow_id(order_id): now},
    )
    return note(order, now, "order.received", "Order received", actor=CUSTOMER)


def _check_same(order: Order, draft: Draft) -> None:
    """Raise NotAllowedError or InvalidError if a request differs from the order that has its id."""
    if order.fingerprint != draft.fingerprint:
        raise NotAllowedError("orderExists", f"there is another order {order.id!r} with other content")
    if draft.total not in (None, order.goods_total):
        raise invalid_fields([("total", f"the goods cost {order.goods_total / 100:.2f} {CURRENCY}")])


class Workflows(Protocol):
    """The part of the workflow engine that the use cases need."""

    def start_later(self, order_id: str) -> None:
        """Start an order's workflow in the background, unless it is running."""

    def signal_later(self, instances: Sequence[str]) -> None:
        """Signal workflow instances in the background."""

    def start(self, order_id: str) -> None:
        """Start an order's workflow, unless it is running. Raises TransientError."""

    def signal(self, instances: Sequence[str]) -> None:
        """Signal workflow instances. Raises TransientError."""

    def is_running(self, order_id: str) -> bool:
        """Return whether an order's workflow exists and has not ended. Raises TransientError."""

    def is_stuck(self, instance: str, children: Sequence[str] = ()) -> bool:
        """Return whether an instance, which may have these children, is stuck. Raises TransientError."""

    def terminate(self, order_id: str) -> None:
        """Terminate an order's workflow and its children. Raises TransientError."""


class OrderService:
    """The use cases of the order and shipment APIs."""

    def __init__(self, orders: OrderRepository, price_list: PriceList, workflows: Workflows) -> None:
        self._orders, self._price_list, self._workflows = orders, price_list, workflows
        self._keys = IdempotencyKeys(orders)

    def accept(self, draft: Draft, now: datetime, key: str | None) -> Order:
        """Accept an order exactly once; return it when it is stored durably.

        Raises NotAllowedError and InvalidError, and TransientError when nothing was accepted.
        """
        binding = self._keys.find(key, draft, now) if key is not None else None
        order_id = binding.order_id if binding else draft.id or new_order_id(now)
        known = self._orders.get(order_id) if binding or draft.id else None
        # An accepted order stays accepted, whatever has changed in the catalogue since.
        lines = known.items if known else self._price_list.price(draft)
        if key is not None:
            if known and not binding:
                _check_same(known, draft)
            order_id = self._bind(key, draft, order_id, now)
            known = self._orders.get(order_id)
        if known is None:
            order = new_order(order_id, draft, lines, rfc3339(now))
            known = self._orders.create(order) or self._orders.require(order_id)
        _check_same(known, draft)
        # If a crash prevents the start, the reconciler finds the pending signal in the record.
        if known.status == OrderStatus.PENDING and known.fulfillments is None:
            self._workflows.start_later(known.id)
        return known

    def restart(self, order: Order) -> None:
        """Start an order's workflow unless it is running, and signal its waiting instances. Raises TransientError.

        A restarted workflow continues from the order's record.
        """
        self._workflows.start(order.id)
        self._workflows.signal(sorted(order.pending_signals) or _waiting_instances(order))

    def recover(self, order: Order) -> bool:
        """Start the missing workflow of an open order, or terminate a stuck one; return whether it did either.

        Raises TransientError.
        """
        if not self._workflows.is_running(order.id):
            if not is_final(order.status):
                log.warning("restarting the missing workflow of an order")
                self._workflows.start(order.id)
            return not is_final(order.status)
        own, *children = _all_instances(order)
        is_stuck = self._workflows.is_stuck
        if not (is_stuck(own, children) or any(is_stuck(child) for child in children)):
            return False
        log.warning("terminating a stuck workflow, which will be restarted")
        self._workflows.terminate(order.id)
        return True

    def order(self, order_id: str) -> Order:
        """Return an order. Raises NotFoundError."""
        order = self._orders.get(order_id)
        if order is None:
            raise NotFoundError("order", order_id)
        return order

    def instances(self, order_id: str) -> list[str]:
        """Return the workflow instances of an order, the order workflow first. Raises NotFoundError."""
        return _all_instances(self.order(order_id))

    def act(self, order_id: str, action: str) -> Order:
        """Apply the customer's decision. Raises NotAllowedError, and LookupError for an unknown order."""
        return self._decide(order_id, lambda order, now: order_rules.act(order, action, now), _waiting_instances)

    def approve(self, order_id: str, approver: str, approved: bool) -> Order:
        """Apply the approver's decision. Raises NotAllowedError, and LookupError for an unknown order."""
        return self._decide(
            order_id, lambda order, now: order_rules.approve(order, approver, approved, now), _waiting_instances
        )

    def shipment(self, shipment_id: str) -> tuple[Order, Fulfillment, Shipment]:
        """Return a shipment with its order and fulfillment. Raises NotFoundError."""
        try:
            order_id, _ = split_fulfillment_id(shipment_id)
        except ValueError as error:
            raise NotFoundError("shipment", shipment_id) from error
        order = self._orders.get(order_id)
        fulfillment = order.fulfillment(shipment_id) if order else None
        if order is None or fulfillment is None or fulfillment.shipment is None:
            raise NotFoundError("shipment", shipment_id)
        return order, fulfillment, fulfillment.shipment

    def report(self, order_id: str, shipment_id: str, status: ShipmentStatus) -> Order:
        """Apply the courier's report on a shipment of the order. Raises NotAllowedError and LookupError."""
        return self._decide(
            order_id,
            lambda current, now: fulfillment_rules.courier_reports(current, shipment_id, status, now),
            lambda _order: [shipment_workflow_id(shipment_id)],
        )

    def _decide(
        self, order_id: str, change: Callable[[Order, str], Order], waiting: Callable[[Order], list[str]]
    ) -> Order:
        pending_signals: list[str] = []

        def decided(order: Order) -> Order:
            now = self._orders.now()
            after = change(order, now)
            # An instance with a pending signal sees this change too when it wakes up. A repeated decision sends the
            # signals that are still pending.
            pending_signals[:] = (
                order.pending_signals
                if after is order
                else [instance for instance in waiting(order) if instance not in order.pending_signals]
            )
            return order if after is order else add_signals(after, waiting(order), now)

        order = self._orders.update(order_id, decided)
        self._workflows.signal_later(pending_signals)
        return order

    def _bind(self, key: str, draft: Draft, order_id: str, now: datetime) -> str:
        binding = self._keys.bind(key, draft, order_id, now)
        if not belongs_to(binding, draft):
            raise InvalidError("idempotencyKeyReused", "this Idempotency-Key was used with other content")
        return binding.order_id


def _waiting_instances(order: Order) -> list[str]:
    """Return the workflow instances that may wait for a decision: the order's own, or those of its fulfillments."""
    if order.status != OrderStatus.PROCESSING:
        return [order_workflow_id(order.id)]
    return _fulfillment_instances(order)


def _all_instances(order: Order) -> list[str]:
    return [order_workflow_id(order.id), *_fulfillment_instances(order)]


def _fulfillment_instances(order: Order) -> list[str]:
    ids = [part.id for part in order.fulfillments or [] if part.shipment]
    return [name(part_id) for part_id in ids for name in (charge_workflow_id, shipment_workflow_id)]
