"""Finds what a crash left between two writes, and finishes it.

That is: bells that nobody rang, orders whose workflow never started, lines of lists that point nowhere.
"""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

from services.common.clock import rfc3339, utc_now
from services.common.index import Entry
from services.common.index_reader import IndexReader
from services.common.logs import about_order, get_logger
from services.common.sidecar import TransientError
from services.orderprocessing.models import Order
from services.orderprocessing.service import OrderService
from services.orderprocessing.states import is_final
from services.orderprocessing.store import OrderStore

log = get_logger(__name__)

_PAGE = 100
_GRACE = timedelta(seconds=15)
"""What is younger may still be under way in another thread or replica, or wait its turn under load."""
_STANDSTILL = timedelta(minutes=2)
"""After this without a step, an order that waits for nobody is asked for: its workflow may be gone."""
_ORPHAN_AGE = timedelta(minutes=5)
"""Far longer than a request or a step takes between a list's line and the record that it points to."""


class Reconciler:
    """Goes through what is open, now and then; that is the backlog, whatever the store holds."""

    def __init__(self, orders: OrderStore, service: OrderService) -> None:
        self._orders, self._service = orders, service
        self._suspects: set[str] = set()

    def run_once(self, now: datetime) -> int:
        """Mend what a crash left behind some seconds before `now`; return how much that was.

        Stops at the first call that gets no answer, with TransientError: the next ones would not either.
        """
        return self._mend_orders(now) + self._mend_shipments(now)

    def _mend_orders(self, now: datetime) -> int:
        mended = 0
        for entries in _pages(self._orders.orders):
            found = {order.id: order for order in self._orders.get_many([entry.id for entry in entries])}
            for entry in entries:
                order = found.get(entry.id)
                with about_order(entry.id):
                    if order is not None and order.place == entry.place:
                        mended += self._reach(order, now)
                    else:
                        mended += self._drop(entry, now, of_shipments=False)
        return mended

    def _mend_shipments(self, now: datetime) -> int:
        mended = 0
        for entries in _pages(self._orders.shipments):
            orders = self._orders.get_many(list({entry.data["orderId"] for entry in entries}))
            places = {
                one.id: one.shipment.place for order in orders for one in order.fulfillments or [] if one.shipment
            }
            for entry in entries:
                if places.get(entry.id) != entry.place:
                    mended += self._drop(entry, now, of_shipments=True)
        return mended

    def _reach(self, order: Order, now: datetime) -> bool:
        if not _overdue(order, rfc3339(now - _GRACE)):
            if order.updated_at <= rfc3339(now - _STANDSTILL) and not _waits_for_somebody(order):
                self._service.restart(order)
            return False
        log.warning("the workflow should have moved on, reviving it", extra={"bells": sorted(order.bells)})
        self._service.revive(order)
        return True

    def _drop(self, entry: Entry, now: datetime, of_shipments: bool) -> bool:
        # The line is written before what it points to, so it may be about to become true: it must be old, and have
        # pointed nowhere the last time too, before everything that a crash had stopped went on.
        if entry.at > rfc3339(now - _ORPHAN_AGE):
            return False
        if entry.id not in self._suspects:
            self._suspects.add(entry.id)
            return False
        self._suspects.discard(entry.id)
        log.warning("a line of a list points nowhere, dropping it", extra={"entryId": entry.id})
        self._orders.drop_line(entry, of_shipments)
        return True


def _overdue(order: Order, late: str) -> bool:
    """Tell whether the order's workflow has missed something: a bell, a deadline, a decision, the last delivery."""
    if any(since <= late for since in order.bells.values()):
        return True
    if order.deadline is not None and order.ending is None:
        return order.deadline <= late
    all_ended = order.fulfillments is not None and all(is_final(one.status) for one in order.fulfillments)
    return order.updated_at <= late and (order.cancel or order.ending is not None or all_ended)


def _waits_for_somebody(order: Order) -> bool:
    """Tell whether it is for a person to act: the customer, the approver, or the courier of every open fulfillment."""
    going_on = [one for one in order.fulfillments or [] if not is_final(one.status)]
    with_courier = [one for one in going_on if one.reason is None and one.shipment and one.shipment.courier_reference]
    answer_wanted = order.deadline is not None and order.ending is None
    return answer_wanted or (going_on != [] and with_courier == going_on)


def _pages(index: IndexReader) -> Iterator[list[Entry]]:
    cursor: str | None = None
    while True:
        page = index.read(_PAGE, cursor, only_open=True)
        yield page.entries
        cursor = page.cursor
        if cursor is None:
            return


def run_in_background(reconciler: Reconciler, interval: float, stop: threading.Event) -> threading.Thread:
    """Reconcile at once and then every `interval` seconds until `stop` is set."""

    def loop() -> None:
        while not stop.is_set():
            try:
                reconciler.run_once(utc_now())
            except TransientError as error:
                log.warning("reconciling comes later", extra={"cause": str(error)})
            except Exception:
                log.exception("reconciling failed")
            stop.wait(interval)

    thread = threading.Thread(target=loop, name="reconciler", daemon=True)
    thread.start()
    return thread
