"""Keeps the catalogue, stock and reservations.

Stock is shared by all orders, so it is changed by `Once`: a reservation's own record says what is to be taken
before any of it is, and that it has been taken after all of it is; ending a fulfillment goes the same way. A
request that finds somebody's unfinished work on its order finishes that first.
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
        """Write the catalogue of the first start, unless this store has one."""
        if self._seeded:
            return
        with self._seeding:
            if self._catalogue.get(_CATALOGUE_ID) is None:
                seed = read_seed()
                for one in seed.items():
                    self._items.create(one.sku, domain.seeded_item(one, seed.locations))
                # Last, because it says that all the others are there.
                skus = sorted(one.sku for one in seed.items())
                if self._catalogue.create(_CATALOGUE_ID, Catalogue(skus=skus)):
                    log.info("catalogue written", extra={"skus": len(skus)})
            self._seeded = True

    def items(self) -> list[Item]:
        """Return every item, by SKU."""
        self.seed()
        catalogue = self._catalogue.get(_CATALOGUE_ID) or Catalogue()
        return self._items.get_many(catalogue.skus)

    def item(self, sku: str) -> Item:
        """Return the item. Raises the 404."""
        self.seed()
        return self._items.get(sku) or _no_item(sku)

    def put_item(self, request: ItemRequest) -> tuple[Item, bool]:
        """Create the item without stock, or give it the request's price; tell whether it was created."""
        self.seed()
        sku = request.sku
        created = self._items.create(sku, domain.new_item(request, read_seed().locations))
        if not created:
            self._stock.apply(sku, None, lambda item: domain.repriced(item, request))
        # Also for one that exists: the request that created it may have died before it came here.
        self._catalogue.update(_CATALOGUE_ID, lambda now: domain.listed(now, sku))
        return self.item(sku), created

    def restock(self, sku: str, request: RestockRequest) -> Item:
        """Put more on hand; with an idempotency key, once. Raises the 404 and the 422 of a reused key."""
        self.item(sku)
        change = partial(domain.restocked, location=request.warehouse, quantity=request.quantity)
        if request.idempotency_key is None:
            self._stock.apply(sku, None, change)
        else:
            self._restock_once(sku, request, request.idempotency_key, change)
        return self.item(sku)

    def reserve(self, order_id: str, lines: Sequence[Line]) -> Reservation:
        """Take an order's goods, or return what was taken for it. Raises the 409 for other lines."""
        self.seed()
        items = self._items.get_many([line.sku for line in lines])
        plan = reserving.planned(order_id, lines, {item.sku for item in items})
        if self._reservations.create(order_id, plan):
            return self._take(plan, items)
        return self._take(self._change(order_id, lambda now: reserving.joined(now, plan)))

    def reservation(self, order_id: str) -> Reservation | None:
        """Return the order's reservation, or None."""
        return self._reservations.get(order_id)

    def end(self, order_id: str, end: Ending, named: Sequence[str] | None) -> Reservation:
        """Release or commit fulfillments of an order; with None, all that are still reserved.

        Raises what `reserving.ending` raises.
        """
        reservation = self._reservations.update(order_id, lambda now: reserving.ending(now, order_id, end, named))
        if reservation.fulfillments is None:
            self._take(reservation)
            return self.end(order_id, end, named)
        unfinished = reserving.unfinished(reservation, end)
        if not unfinished:
            return reservation
        for one in unfinished:
            for line in one.items:
                change = partial(domain.ended, location=one.location or "", quantity=line.quantity, ending=end)
                self._stock.apply(line.sku, reserving.end_mark(one.id), change)
        ids = [one.id for one in unfinished]
        reservation = self._change(order_id, lambda now: reserving.finished(now, end, ids))
        for one in unfinished:
            self._forget(one.items, reserving.end_mark(one.id))
        return reservation

    def _take(self, reservation: Reservation, items: Sequence[Item] | None = None) -> Reservation:
        """Take the stock of a reservation that is under way, or what an earlier attempt has left of it."""
        if reservation.fulfillments is not None:
            return reservation
        order_id, mark = reservation.order_id, reserving.reserve_mark(reservation.order_id)
        lines = reserving.taking_order(reservation, items or self._items.get_many(reservation.known))
        took: dict[str, Effect] = {}
        for line in lines:
            used = frozenset(location for did in took.values() for location in did)
            did = self._stock.apply(line.sku, mark, partial(domain.reserved, quantity=line.quantity, used=used))
            if did is None:  # another attempt has finished meanwhile
                break
            took[line.sku] = did
        reservation = self._change(order_id, lambda now: reserving.taken(now, took))
        self._forget(lines, mark)
        return reservation

    def _restock_once(
        self, sku: str, request: RestockRequest, key: str, change: Callable[[Item], tuple[Item, Effect]]
    ) -> None:
        asked = Restock(key=key, sku=sku, warehouse=request.warehouse, quantity=request.quantity)
        restock = asked
        if not self._restocks.create(key, asked):
            restock = domain.same_restock(self._restocks.get(key) or asked, asked)
        if not restock.done:
            mark = domain.restock_mark(key)
            self._stock.apply(sku, mark, change)
            self._restocks.update(key, lambda _now: asked.model_copy(update={"done": True}))
            self._stock.forget(sku, mark)

    def _change(self, order_id: str, change: Callable[[Reservation], Reservation]) -> Reservation:
        """Change a reservation that exists; none is ever deleted."""
        return self._reservations.update(order_id, lambda now: change(now or _no_reservation(order_id)))

    def _forget(self, lines: Sequence[Line], mark: str) -> None:
        for line in lines:
            self._stock.forget(line.sku, mark)

    def _settled(self, marks: Sequence[str]) -> set[str]:
        orders = sorted({order for mark in marks if (order := reserving.marked_order(mark))})
        keys = [key for mark in marks if (key := domain.marked_restock(mark))]
        done = {domain.restock_mark(one.key) for one in self._restocks.get_many(keys) if one.done}
        for reservation in self._reservations.get_many(orders):
            done |= reserving.done_marks(reservation)
        return done


def _no_item(sku: str) -> Item:
    raise NotFoundError("SKU", sku)


def _no_reservation(order_id: str) -> Reservation:
    raise NotFoundError("reservation of order", order_id)
