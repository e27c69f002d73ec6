"""Stores the catalogue, the stock and the reservations.

All orders share the stock, so `ExactlyOnceUpdater` changes it: the reservation's record is written as pending before
any stock is reserved and as done after all of it is. Release and commit work the same way. A request that finds
unfinished work for its order completes that first.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial

from services.common.clock import Clock
from services.common.errors import NotFoundError
from services.common.logs import get_logger
from services.common.records import Effect
from services.common.storage.documents import Documents, Records
from services.common.storage.exactly_once import ExactlyOnceUpdater
from services.inventory import domain, reserving
from services.inventory.models import Catalogue, Ending, Item, ItemRequest, Line, Reservation, Restock, RestockRequest
from services.inventory.seed import read_seed

log = get_logger(__name__)

_CATALOGUE_ID = "skus"


class InventoryStore:
    """Items by SKU and reservations by order id. Every method may raise TransientError."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._catalogue = Records(documents, "catalogue", Catalogue)
        self._items = Records(documents, "item", Item)
        self._reservations = Records(documents, "reservation", Reservation)
        self._restocks = Records(documents, "restock", Restock)
        self._stock = ExactlyOnceUpdater(self._items, self._settled, _no_item, clock)
        self._seeding = threading.Lock()
        self._seeded = False

    def seed(self) -> None:
        """Write the initial catalogue, unless the store has one."""
        if self._seeded:
            return
        with self._seeding:
            if self._catalogue.get(_CATALOGUE_ID) is None:
                seed = read_seed()
                for seed_item in seed.items:
                    self._items.create(seed_item.sku, domain.seeded_item(seed_item, seed.locations))
                # Written last, because it marks the seed as complete.
                skus = sorted(seed_item.sku for seed_item in seed.items)
                if self._catalogue.create(_CATALOGUE_ID, Catalogue(skus=skus)):
                    log.info("initial catalogue written", extra={"skus": len(skus)})
            self._seeded = True

    def items(self) -> list[Item]:
        """Return all items, sorted by SKU."""
        self.seed()
        catalogue = self._catalogue.get(_CATALOGUE_ID) or Catalogue()
        return self._items.get_many(catalogue.skus)

    def item(self, sku: str) -> Item:
        """Return the item. Raises the 404."""
        self.seed()
        return self._items.get(sku) or _no_item(sku)

    def put_item(self, request: ItemRequest) -> tuple[Item, bool]:
        """Create the item without stock, or change its price; return the item and whether it was created."""
        self.seed()
        sku = request.sku
        created = self._items.create(sku, domain.new_item(request, read_seed().locations))
        if not created:
            self._stock.apply(sku, None, lambda item: domain.reprice(item, request))
        # For an existing item too: the request that created it may have crashed before this step.
        self._catalogue.update(_CATALOGUE_ID, lambda now: domain.add_to_catalogue(now, sku))
        return self.item(sku), created

    def restock(self, sku: str, request: RestockRequest) -> Item:
        """Add stock, once for an idempotency key. Raises the 404 and the 422 for a reused key."""
        self.item(sku)
        change = partial(domain.restock, location=request.warehouse, quantity=request.quantity)
        if request.idempotency_key is None:
            self._stock.apply(sku, None, change)
        else:
            self._restock_with_key(sku, request, request.idempotency_key, change)
        return self.item(sku)

    def reserve(self, order_id: str, lines: Sequence[Line]) -> Reservation:
        """Reserve an order's goods, or return its existing reservation. Raises the 409 for other lines."""
        self.seed()
        items = self._items.get_many([line.sku for line in lines])
        plan = reserving.plan(order_id, lines, {item.sku for item in items})
        if self._reservations.create(order_id, plan):
            return self._reserve(plan, items)
        return self._reserve(self._change(order_id, lambda now: reserving.check_same(now, plan)))

    def reservation(self, order_id: str) -> Reservation | None:
        """Return the order's reservation, or None."""
        return self._reservations.get(order_id)

    def end(self, order_id: str, end: Ending, named: Sequence[str] | None) -> Reservation:
        """Release or commit fulfillments of an order, with None all that are still reserved.

        Raises as `reserving.ending`.
        """
        reservation = self._reservations.update(order_id, lambda now: reserving.ending(now, order_id, end, named))
        if reservation.fulfillments is None:
            self._reserve(reservation)
            return self.end(order_id, end, named)
        unfinished = reserving.unfinished(reservation, end)
        if not unfinished:
            return reservation
        for fulfillment in unfinished:
            for line in fulfillment.items:
                change = partial(domain.end, location=fulfillment.location or "", quantity=line.quantity, ending=end)
                self._stock.apply(line.sku, reserving.end_marker(fulfillment.id), change)
        ids = [fulfillment.id for fulfillment in unfinished]
        reservation = self._change(order_id, lambda now: reserving.finished(now, end, ids))
        for fulfillment in unfinished:
            self._forget(fulfillment.items, reserving.end_marker(fulfillment.id))
        return reservation

    def _reserve(self, reservation: Reservation, items: Sequence[Item] | None = None) -> Reservation:
        """Reserve the stock of a pending reservation, or complete an earlier attempt."""
        if reservation.fulfillments is not None:
            return reservation
        order_id, marker = reservation.order_id, reserving.reserve_marker(reservation.order_id)
        lines = reserving.lines_to_reserve(reservation, items or self._items.get_many(reservation.known))
        reserved: dict[str, Effect] = {}
        for line in lines:
            used = frozenset(location for effect in reserved.values() for location in effect)
            effect = self._stock.apply(line.sku, marker, partial(domain.reserve, quantity=line.quantity, used=used))
            if effect is None:  # another attempt has completed meanwhile
                break
            reserved[line.sku] = effect
        reservation = self._change(order_id, lambda now: reserving.with_fulfillments(now, reserved))
        self._forget(lines, marker)
        return reservation

    def _restock_with_key(
        self, sku: str, request: RestockRequest, key: str, change: Callable[[Item], tuple[Item, Effect]]
    ) -> None:
        requested = Restock(key=key, sku=sku, warehouse=request.warehouse, quantity=request.quantity)
        restock = requested
        if not self._restocks.create(key, requested):
            restock = domain.check_same_restock(self._restocks.get(key) or requested, requested)
        if not restock.done:
            marker = domain.restock_marker(key)
            self._stock.apply(sku, marker, change)
            self._restocks.update(key, lambda _now: requested.model_copy(update={"done": True}))
            self._stock.forget(sku, marker)

    def _change(self, order_id: str, change: Callable[[Reservation], Reservation]) -> Reservation:
        """Change an existing reservation; reservations are never deleted."""
        return self._reservations.update(order_id, lambda now: change(now or _no_reservation(order_id)))

    def _forget(self, lines: Sequence[Line], marker: str) -> None:
        for line in lines:
            self._stock.forget(line.sku, marker)

    def _settled(self, markers: Sequence[str]) -> set[str]:
        orders = sorted({order for marker in markers if (order := reserving.marker_order(marker))})
        keys = [key for marker in markers if (key := domain.restock_key(marker))]
        done = {domain.restock_marker(restock.key) for restock in self._restocks.get_many(keys) if restock.done}
        for reservation in self._reservations.get_many(orders):
            done |= reserving.settled_markers(reservation)
        return done


def _no_item(sku: str) -> Item:
    raise NotFoundError("SKU", sku)


def _no_reservation(order_id: str) -> Reservation:
    raise NotFoundError("reservation of order", order_id)
