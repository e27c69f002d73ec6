"""What the API does: take orders in, show them, and take decisions and reports for them.

A decision is one compare-and-set on the order's record, which settles every race; ringing the workflows that wait for
it comes after, and is made up for by the reconciler where a crash comes between.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from services.common.clock import rfc3339
from services.common.errors import InvalidError, NotAllowedError, NotFoundError, invalid_fields
from services.common.ids import split_fulfillment_id
from services.common.logs import get_logger
from services.common.money import CURRENCY
from services.orderprocessing.adapters.order_repository import OrderStore
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
from services.orderprocessing.domain.states import OrderStatus, ShipmentStatus, is_final
from services.orderprocessing.domain.timeline import CUSTOMER, add_signals, note

log = get_logger(__name__)


def new_order(order_id: str, draft: Draft, lines: list[Line], now: str) -> Order:
    """Return the record of an order as it is accepted, with the signal of the workflow that is to start."""
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
    """Raise the 409, or the 422, for a request that means another order than the one that has its id."""
    if order.fingerprint != draft.fingerprint:
        raise NotAllowedError("orderExists", f"there is another order {order.id!r} with other content")
    if draft.total not in (None, order.goods_total):
        raise invalid_fields([("total", f"the goods cost {order.goods_total / 100:.2f} {CURRENCY}")])


class Workflows(Protocol):
    """The part of the workflow engine that is needed here."""

    def start_later(self, order_id: str) -> None:
        """Have an order's workflow started, once; does not wait for it."""

    def signal_later(self, instances: Sequence[str]) -> None:
        """Have the signal of workflow instances rung; does not wait for it."""

    def start(self, order_id: str) -> None:
        """Start an order's workflow, once. Raises TransientError."""

    def signal(self, instances: Sequence[str]) -> None:
        """Ring the signal of workflow instances. Raises TransientError."""

    def is_running(self, order_id: str) -> bool:
        """Tell whether an order's workflow is there and has not ended. Raises TransientError."""

    def is_stuck(self, instance: str, children: Sequence[str] = ()) -> bool:
        """Tell whether an instance, which may have these children, waits for what will never come.

        Raises TransientError.
        """

    def end(self, order_id: str) -> None:
        """End an order's workflow with its children. Raises TransientError."""


class OrderService:
    """The use cases of the order and shipment APIs."""

    def __init__(self, orders: OrderStore, catalogue: PriceList, workflows: Workflows) -> None:
        self._orders, self._catalogue, self._workflows = orders, catalogue, workflows
        self._keys = IdempotencyKeys(orders)

    def accept(self, draft: Draft, now: datetime, key: str | None) -> Order:
        """Take an order in, once; return it when no crash can lose it any more.

        Raises the problems 409 and 422, and TransientError when nothing was accepted.
        """
        binding = self._keys.find(key, draft, now) if key is not None else None
        order_id = binding.order_id if binding else draft.id or new_order_id(now)
        known = self._orders.get(order_id) if binding or draft.id else None
        # What was accepted once stays accepted, whatever happened to the catalogue since.
        lines = known.items if known else self._catalogue.price(draft)
        if key is not None:
            if known and not binding:
                _check_same(known, draft)
            order_id = self._bind(key, draft, order_id, now)
            known = self._orders.get(order_id)
        if known is None:
            order = new_order(order_id, draft, lines, rfc3339(now))
            known = self._orders.create(order) or self._orders.require(order_id)
        _check_same(known, draft)
        # What a crash keeps from being started or rung from here on, the reconciler finds in the record.
        if known.status == OrderStatus.PENDING and known.fulfillments is None:
            self._workflows.start_later(known.id)
        return known

    def restart(self, order: Order) -> None:
        """Start the workflow of an order if it does not run, and ring whatever may sleep. Raises TransientError.

        A workflow that starts anew finds everything in the record that is done.
        """
        self._workflows.start(order.id)
        self._workflows.signal(sorted(order.pending_signals) or _waiting_instances(order))

    def recover(self, order: Order) -> bool:
        """Start the workflow of an order that goes on without one, or end one that waits for ever; tell whether.

        Raises TransientError.
        """
        if not self._workflows.is_running(order.id):
            if not is_final(order.status):
                log.warning("an order has no workflow, it starts anew")
                self._workflows.start(order.id)
            return not is_final(order.status)
        own, *children = _all_instances(order)
        lost = self._workflows.is_stuck
        if not (lost(own, children) or any(lost(child) for child in children)):
            return False
        log.warning("a workflow waits for what will never come, it is ended and starts anew")
        self._workflows.end(order.id)
        return True

    def order(self, order_id: str) -> Order:
        """Return an order. Raises the 404."""
        order = self._orders.get(order_id)
        if order is None:
            raise NotFoundError("order", order_id)
        return order

    def instances(self, order_id: str) -> list[str]:
        """Return the workflow instances that an order is made of, its own first. Raises the 404."""
        return _all_instances(self.order(order_id))

    def act(self, order_id: str, action: str) -> Order:
        """Take the customer's decision. Raises the 409, and LookupError for an unknown order."""
        return self._decide(order_id, lambda order, now: order_rules.act(order, action, now), _waiting_instances)

    def approve(self, order_id: str, approver: str, approved: bool) -> Order:
        """Take the approver's decision. Raises the 409, and LookupError for an unknown order."""
        return self._decide(
            order_id, lambda order, now: order_rules.approve(order, approver, approved, now), _waiting_instances
        )

    def shipment(self, shipment_id: str) -> tuple[Order, Fulfillment, Shipment]:
        """Return a shipment with its order. Raises the 404."""
        try:
            order_id, _ = split_fulfillment_id(shipment_id)
        except ValueError as error:
            raise NotFoundError("shipment", shipment_id) from error
        order = self._orders.get(order_id)
        one = order.fulfillment(shipment_id) if order else None
        if order is None or one is None or one.shipment is None:
            raise NotFoundError("shipment", shipment_id)
        return order, one, one.shipment

    def report(self, order_id: str, shipment_id: str, status: ShipmentStatus) -> Order:
        """Take the courier's report on a shipment of the order. Raises the 409 and LookupError."""
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
                else [one for one in waiting(order) if one not in order.pending_signals]
            )
            return order if after is order else add_signals(after, waiting(order), now)

        order = self._orders.update(order_id, decided)
        self._workflows.signal_later(pending_signals)
        return order

    def _bind(self, key: str, draft: Draft, order_id: str, now: datetime) -> str:
        binding = self._keys.bind(key, draft, order_id, now)
        if not belongs_to(binding, draft):
            raise InvalidError("idempotencyKeyReused", "this Idempotency-Key came with other content before")
        return binding.order_id


def _waiting_instances(order: Order) -> list[str]:
    """Return the workflows that may be waiting for a decision on an order: itself, or those of its fulfillments."""
    if order.status != OrderStatus.PROCESSING:
        return [order_workflow_id(order.id)]
    return _of_fulfillments(order)


def _all_instances(order: Order) -> list[str]:
    return [order_workflow_id(order.id), *_of_fulfillments(order)]


def _of_fulfillments(order: Order) -> list[str]:
    with_goods = [one.id for one in order.fulfillments or [] if one.shipment]
    return [name(one) for one in with_goods for name in (charge_workflow_id, shipment_workflow_id)]
