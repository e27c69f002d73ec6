"""The lists and the figures: orders, shipments, backlogs; read from the indexes, so that none of them grows in cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from services.common.clock import Clock, utc_now
from services.common.money import CURRENCY
from services.common.records import Entry, Slice
from services.common.storage.index_reader import IndexReader
from services.orderprocessing.adapters.order_repository import OrderStore
from services.orderprocessing.adapters.unreadable_orders import Found, read_each
from services.orderprocessing.domain.order import JsonObject, Order
from services.orderprocessing.domain.order_rules import summary
from services.orderprocessing.domain.states import OrderStatus, PaymentStatus, ShipmentStatus, is_final

_RATE_SECONDS = 30
_BACKLOG_SAMPLE = 1000
_OPEN_AT_ONCE = 500


@dataclass(frozen=True)
class OrderSummaries:
    """Lines of orders, and how many more belong to them whose record cannot be read."""

    items: list[JsonObject]
    unreadable: int


class OrderQueries:
    """Lists of orders and shipments."""

    def __init__(self, orders: OrderStore, clock: Clock = utc_now) -> None:
        self._orders, self._clock = orders, clock

    def orders(
        self, limit: int, cursor: str | None, status: OrderStatus | None, customer_id: str | None
    ) -> tuple[OrderSummaries, Slice]:
        """Return orders, newest first, and the slice that they are from."""
        if customer_id is not None:
            return self._orders_of(customer_id, limit, cursor, status)
        only_open = status is not None and not is_final(status)
        found = self._orders.orders.read(limit, cursor, only_open, lambda one: status in (None, one.data["status"]))
        lines = self._lines(found.entries)
        return OrderSummaries(
            [line for line in lines.items if status in (None, line["status"])], lines.unreadable
        ), found

    def _lines(self, entries: Sequence[Entry]) -> OrderSummaries:
        """Return what the lines show.

        Of a pending order that is what its record says: a crash may have kept it from being, or it is another one's.
        """
        shown: dict[str, JsonObject | None] = {
            one.id: self._orders.summary(one.id) if _is_pending(one) else one.data for one in entries
        }
        found = self._read([order_id for order_id, data in shown.items() if data is None])
        shown |= {order.id: summary(order) for order in found.orders}
        return OrderSummaries(
            [_summary_view(one.id, data) for one in entries if (data := shown[one.id])], len(found.unreadable)
        )

    def _orders_of(
        self, customer_id: str, limit: int, cursor: str | None, status: OrderStatus | None
    ) -> tuple[OrderSummaries, Slice]:
        page = self._orders.customer_orders(customer_id, limit, cursor)
        found = self._read([entry.id for entry in page.entries])
        theirs = [one for one in found.orders if one.customer_id == customer_id and status in (None, one.status)]
        return _lines_of(theirs, found), page

    def orders_by_id(self, order_ids: list[str]) -> OrderSummaries:
        """Return just these orders, those of them that exist. Raises UnreadableError where that is all there is."""
        found = self._read(list(dict.fromkeys(order_ids)))
        if not found.orders and found.unreadable:
            raise next(iter(found.unreadable.values()))
        return _lines_of(found.orders, found)

    def _read(self, order_ids: Sequence[str]) -> Found:
        return read_each(self._orders, order_ids)

    def shipments(self, limit: int, cursor: str | None, pending: bool) -> tuple[list[JsonObject], Slice]:
        """Return shipments, or those that are neither delivered nor cancelled, newest first."""
        found = self._orders.shipments.read(limit, cursor, pending)
        return [{"id": entry.id, **entry.data} for entry in found.entries], found

    def order_backlog(self) -> int:
        """Return how many orders are not final."""
        return self._orders.orders.open_count()

    def waiting(self, enough: int) -> int:
        """Return how many orders wait for the system, not for a person or a courier; counts no further than `enough`.

        Cheap while fewer than `enough` orders are open at all: then it returns those.
        """
        count = self._orders.orders.open_count()
        if count < enough:
            return count
        handed_over = {entry.data["orderId"] for entry in _open(self._orders.shipments) if _is_with_courier(entry)}
        waits = (one for one in _open(self._orders.orders) if _needs_the_system(one) and one.id not in handed_over)
        return sum(1 for _ in islice(waits, enough))

    def shipment_backlog(self) -> int:
        """Return how many shipments are neither delivered nor cancelled."""
        return self._orders.shipments.open_count()

    def charge_backlog(self) -> int:
        """Return how many fulfillments wait for their charge, counting in the newest 1,000 open orders."""
        found = self._orders.orders.read(_BACKLOG_SAMPLE, None, only_open=True, match=_processing)
        return sum(_uncharged(order) for order in self._read([entry.id for entry in found.entries]).orders)

    def complete_rate(self) -> float:
        """Return the orders completed per second over the last 30 seconds."""
        since = int(self._clock().timestamp()) - _RATE_SECONDS
        return self._orders.orders.closed_since(OrderStatus.COMPLETED.value, since) / _RATE_SECONDS


def _lines_of(orders: Sequence[Order], found: Found) -> OrderSummaries:
    return OrderSummaries([_summary_view(one.id, summary(one)) for one in orders], len(found.unreadable))


def _open(index: IndexReader) -> Iterator[Entry]:
    return chain.from_iterable(index.open_pages(_OPEN_AT_ONCE))


def _is_pending(entry: Entry) -> bool:
    return bool(entry.data["status"] == OrderStatus.PENDING.value)


def _is_with_courier(entry: Entry) -> bool:
    return entry.data.get("status") != ShipmentStatus.PENDING.value


def _needs_the_system(entry: Entry) -> bool:
    return entry.data.get("status") in {OrderStatus.PENDING.value, OrderStatus.PROCESSING.value}


def _processing(entry: Entry) -> bool:
    return entry.data.get("status") == OrderStatus.PROCESSING.value


def _uncharged(order: Order) -> int:
    return sum(
        one.payment is not None and one.payment.status == PaymentStatus.PENDING and not is_final(one.status)
        for one in order.fulfillments or []
    )


def _summary_view(order_id: str, data: JsonObject) -> JsonObject:
    """Return an order as lists show it."""
    return {"id": order_id, **data, "currency": CURRENCY}
