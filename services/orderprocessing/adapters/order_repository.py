"""Stores orders and their indexes: one document for each order, and an index for each list."""

import hashlib
from collections.abc import Callable, Sequence

from services.common.clock import Clock, rfc3339, utc_now
from services.common.records import Entry, EntryLocation, Slice
from services.common.states import ShipmentStatus, is_final
from services.common.storage.documents import Documents, Records
from services.common.storage.index import Index
from services.common.storage.index_reader import IndexReader
from services.common.storage.lru_cache import LruCache
from services.orderprocessing.adapters.milestones import log_new_steps
from services.orderprocessing.domain.order import Fulfillment, IdempotencyRecord, JsonObject, Order
from services.orderprocessing.domain.order_rules import summary

_IDEMPOTENCY_TTL = 24 * 3600
_MAX_CACHED_SUMMARIES = 5_000


class OrderRepository:
    """The repository of orders in the state store."""

    def __init__(self, documents: Documents, clock: Clock = utc_now) -> None:
        self._documents, self._clock = documents, clock
        self._orders = Records(documents, "order", Order)
        self._keys = Records(documents, "idempotency", IdempotencyRecord)
        self._order_index = Index(documents, "orders", clock)
        self._shipment_index = Index(documents, "shipments", clock)
        self._ended_index = Index(documents, "ended", clock)
        self.orders = IndexReader(documents, "orders")
        self.ended = IndexReader(documents, "ended")
        self.shipments = IndexReader(documents, "shipments")
        self._customers = LruCache[Index]()
        self._indexed = LruCache[str]()
        self._summaries = LruCache[JsonObject](_MAX_CACHED_SUMMARIES)

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
        """Return those of the orders that exist, in the given order."""
        orders = self._orders.get_many(order_ids)
        for order in orders:
            self._cache_summary(order)
        return orders

    def summary(self, order_id: str) -> JsonObject | None:
        """Return the cached summary of an order that was created or read here recently, or None."""
        return self._summaries.get(order_id)

    def create(self, order: Order) -> Order | None:
        """Store a new order and return it, or return None if its id is taken.

        The index entries are written before the order. A crash between leaves an entry without a record, which lists
        omit and the reconciler removes, but never an order without an entry.
        """
        entry_location = self._order_index.put(_order_entry(order))
        entry = Entry(id=order.id, at=order.received_at)
        self._customer_index(order.customer_id).put(entry)
        order = order.model_copy(update={"entry_location": entry_location})
        if not self._orders.create(order.id, order):
            return None
        log_new_steps(0, order)
        self._cache_summary(order)
        return order

    def update(self, order_id: str, change: Callable[[Order], Order]) -> Order:
        """Change an order by compare-and-set, then update the indexes; return the changed order.

        Raises LookupError for an unknown order, TransientError, and the errors of `change`.
        """
        known_steps = 0

        def apply(order: Order | None) -> Order:
            nonlocal known_steps
            if order is None:
                raise LookupError(f"there is no order {order_id}")
            known_steps = len(order.timeline)
            return change(order)

        order = self._orders.update(order_id, apply)
        log_new_steps(known_steps, order)
        self._update_indexes(order)
        return order

    def list_shipment(self, order: Order, fulfillment: Fulfillment) -> EntryLocation:
        """Add a shipment to the index of shipments and return its entry location, to be stored in its record.

        After that, every change of the record updates the index.
        """
        known = fulfillment.shipment.entry_location if fulfillment.shipment else None
        return known or self._shipment_index.put(_shipment_entry(order, fulfillment))

    def customer_orders(self, customer_id: str, limit: int, cursor: str | None) -> Slice:
        """Return ids of a customer's orders, newest first."""
        return IndexReader(self._documents, _customer_key(customer_id)).read(limit, cursor)

    def find_key(self, key: str) -> IdempotencyRecord | None:
        """Return the last binding of an Idempotency-Key, or None."""
        return self._keys.get(_key_id(key))

    def bind_key(self, key: str, change: Callable[[IdempotencyRecord | None], IdempotencyRecord]) -> IdempotencyRecord:
        """Change the binding of an Idempotency-Key, which expires after a day, and return it."""
        return self._keys.update(_key_id(key), change, ttl=_IDEMPOTENCY_TTL)

    def drop_entry(self, entry: Entry, of_shipments: bool) -> None:
        """Remove an entry without a record from the index of orders or of shipments."""
        (self._shipment_index if of_shipments else self._order_index).drop(entry)

    def close_ended(self, entry: Entry) -> None:
        """Close an entry of the index of ended orders, once the histories of the order are archived."""
        self._ended_index.put(entry.model_copy(update={"open": False, "rev": 1}), entry.entry_location)

    def _enter_ended(self, order: Order) -> None:
        """Enter the order in the index of ended orders, until its histories are archived."""
        at = order.completed_at or order.updated_at
        self._ended_index.put(Entry(id=order.id, at=at, open=True), since=at)

    def _cache_summary(self, order: Order) -> None:
        self._summaries.put(order.id, summary(order))

    def _update_indexes(self, order: Order) -> None:
        """Update the indexes. A repetition costs nothing, and repairs them after a crash."""
        if self._indexed.get(order.id) != order.status.value:
            if is_final(order.status):
                self._enter_ended(order)
            self._order_index.put(_order_entry(order), order.entry_location)
            self._indexed.put(order.id, order.status.value)
        for fulfillment in order.fulfillments or []:
            shipment = fulfillment.shipment
            if shipment and shipment.entry_location and self._indexed.get(fulfillment.id) != shipment.status.value:
                self._shipment_index.put(_shipment_entry(order, fulfillment), shipment.entry_location)
                self._indexed.put(fulfillment.id, shipment.status.value)

    def _customer_index(self, customer_id: str) -> Index:
        key = _customer_key(customer_id)
        return self._customers.get(key) or self._customers.put(key, Index(self._documents, key, self._clock))


def _key_id(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _customer_key(customer_id: str) -> str:
    # Hashed, because a customer id may contain characters that a key may not, and operators can see keys.
    return f"customer/{hashlib.sha256(customer_id.encode()).hexdigest()[:32]}"


def _order_entry(order: Order) -> Entry:
    return Entry(id=order.id, at=order.received_at, rev=order.rev, open=not is_final(order.status), data=summary(order))


def _shipment_entry(order: Order, fulfillment: Fulfillment) -> Entry:
    shipment = fulfillment.shipment
    status = shipment.status if shipment else ShipmentStatus.CANCELLED
    updated_at = shipment.updated_at if shipment else order.updated_at
    data = {"status": status.value, "orderId": order.id, "updatedAt": updated_at}
    at = (shipment.started_at if shipment else None) or order.received_at
    return Entry(id=fulfillment.id, at=at, rev=order.rev, open=not is_final(status), data=data)
