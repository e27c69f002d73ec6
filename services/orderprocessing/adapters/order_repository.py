"""Keeps orders and the lists of them: one document an order, and an index for each list."""

import hashlib
from collections.abc import Callable, Sequence

from services.common.clock import Clock, rfc3339, utc_now
from services.common.records import Entry, EntryLocation, Slice
from services.common.storage.documents import Documents, Records
from services.common.storage.index import Index
from services.common.storage.index_reader import IndexReader
from services.common.storage.lru_cache import LruCache
from services.orderprocessing.adapters.milestones import log_new_steps
from services.orderprocessing.domain.order import Fulfillment, IdempotencyRecord, JsonObject, Order
from services.orderprocessing.domain.order_rules import summary
from services.orderprocessing.domain.states import ShipmentStatus, is_final

_IDEMPOTENCY_TTL = 24 * 3600
_MOST_REMEMBERED = 5_000


class OrderStore:
    """The orders of this service, in the state store."""

    def __init__(self, documents: Documents, clock: Clock = utc_now) -> None:
        self._documents, self._clock = documents, clock
        self._orders = Records(documents, "order", Order)
        self._keys = Records(documents, "idempotency", IdempotencyRecord)
        self._order_index = Index(documents, "orders", clock)
        self._shipment_index = Index(documents, "shipments", clock)
        self.orders = IndexReader(documents, "orders")
        self.shipments = IndexReader(documents, "shipments")
        self._customers = LruCache[Index]()
        self._listed = LruCache[str]()
        self._summaries = LruCache[JsonObject](_MOST_REMEMBERED)

    def now(self) -> str:
        """Return the time to write into records."""
        return rfc3339(self._clock())

    def get(self, order_id: str) -> Order | None:
        """Return an order, or None."""
        return self._orders.get(order_id)

    def require(self, order_id: str) -> Order:
        """Return an order that must exist. Raises LookupError."""
        order = self.get(order_id)
        if order is None:
            raise LookupError(f"there is no order {order_id}")
        return order

    def get_many(self, order_ids: Sequence[str]) -> list[Order]:
        """Return those of the orders that exist, in the order asked for."""
        orders = self._orders.get_many(order_ids)
        for order in orders:
            self._remember(order)
        return orders

    def summary(self, order_id: str) -> JsonObject | None:
        """Return what a list shows of an order that was created or read here lately, else None."""
        return self._summaries.get(order_id)

    def create(self, order: Order) -> Order | None:
        """Keep a new order; return it, or None if there is one with its id.

        Lists come first, the order last: a crash between leaves a line that points nowhere, which lists do not show
        and the reconciler takes out, but never an order that no list has.
        """
        entry_location = self._order_index.put(_order_entry(order))
        entry = Entry(id=order.id, at=order.received_at)
        self._customer_index(order.customer_id).put(entry)
        order = order.model_copy(update={"entry_location": entry_location})
        if not self._orders.create(order.id, order):
            return None
        log_new_steps(0, order)
        self._remember(order)
        return order

    def update(self, order_id: str, change: Callable[[Order], Order]) -> Order:
        """Change an order by compare-and-set, and the lists after it; return the order after it.

        Raises LookupError for an unknown order, TransientError, and whatever `change` raises.
        """
        known_steps = 0

        def applied(order: Order | None) -> Order:
            nonlocal known_steps
            if order is None:
                raise LookupError(f"there is no order {order_id}")
            known_steps = len(order.timeline)
            return change(order)

        order = self._orders.update(order_id, applied)
        log_new_steps(known_steps, order)
        self._list(order)
        return order

    def list_shipment(self, order: Order, one: Fulfillment) -> EntryLocation:
        """Put a shipment on the list of shipments and return the entry_location, which its record is to keep.

        From then on every change of the record brings the list up to date.
        """
        known = one.shipment.entry_location if one.shipment else None
        return known or self._shipment_index.put(_shipment_entry(order, one))

    def customer_orders(self, customer_id: str, limit: int, cursor: str | None) -> Slice:
        """Return ids of a customer's orders, newest first."""
        return IndexReader(self._documents, _customer_key(customer_id)).read(limit, cursor)

    def find_key(self, key: str) -> IdempotencyRecord | None:
        """Return the last binding of an Idempotency-Key, or None."""
        return self._keys.get(_key_id(key))

    def bind_key(self, key: str, change: Callable[[IdempotencyRecord | None], IdempotencyRecord]) -> IdempotencyRecord:
        """Change the binding of an Idempotency-Key, which is kept for a day, and return it."""
        return self._keys.update(_key_id(key), change, ttl=_IDEMPOTENCY_TTL)

    def drop_line(self, entry: Entry, of_shipments: bool) -> None:
        """Take a line that points nowhere off the list of orders, or of shipments."""
        (self._shipment_index if of_shipments else self._order_index).drop(entry)

    def _remember(self, order: Order) -> None:
        self._summaries.put(order.id, summary(order))

    def _list(self, order: Order) -> None:
        """Bring the lists up to date; a repeat costs nothing, and after a crash it is what mends them."""
        if self._listed.get(order.id) != order.status.value:
            self._order_index.put(_order_entry(order), order.entry_location)
            self._listed.put(order.id, order.status.value)
        for one in order.fulfillments or []:
            shipment = one.shipment
            if shipment and shipment.entry_location and self._listed.get(one.id) != shipment.status.value:
                self._shipment_index.put(_shipment_entry(order, one), shipment.entry_location)
                self._listed.put(one.id, shipment.status.value)

    def _customer_index(self, customer_id: str) -> Index:
        key = _customer_key(customer_id)
        return self._customers.get(key) or self._customers.put(key, Index(self._documents, key, self._clock))


def _key_id(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _customer_key(customer_id: str) -> str:
    # Hashed: a customer id may hold characters that a key may not, and keys are seen by operators.
    return f"customer/{hashlib.sha256(customer_id.encode()).hexdigest()[:32]}"


def _order_entry(order: Order) -> Entry:
    return Entry(id=order.id, at=order.received_at, rev=order.rev, open=not is_final(order.status), data=summary(order))


def _shipment_entry(order: Order, one: Fulfillment) -> Entry:
    status = one.shipment.status if one.shipment else ShipmentStatus.CANCELLED
    updated_at = one.shipment.updated_at if one.shipment else order.updated_at
    data = {"status": status.value, "orderId": order.id, "updatedAt": updated_at}
    started_at = one.shipment.started_at if one.shipment else None
    return Entry(id=one.id, at=started_at or order.received_at, rev=order.rev, open=not is_final(status), data=data)
