"""Queries: lists of orders and shipments, and statistics. They read indexes, so their cost does not grow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from services.common.clock import Clock, utc_now
from services.common.money import CURRENCY
from services.common.records import Entry, Slice
from services.common.states import OrderStatus, PaymentStatus, ShipmentStatus, is_final
from services.common.storage.index_reader import IndexReader
from services.orderprocessing.adapters.order_repository import OrderRepository
from services.orderprocessing.adapters.unreadable_orders import ReadResult, read_each
from services.orderprocessing.domain.order import JsonObject, Order
from services.orderprocessing.domain.order_rules import summary

_RATE_SECONDS = 30
_BACKLOG_SAMPLE = 1000
_OPEN_AT_ONCE = 500


@dataclass(frozen=True)
class OrderSummaries:
    """Summaries of orders, and the number of further orders whose records cannot be read."""

    items: list[JsonObject]
    unreadable: int


class OrderQueries:
    """Queries of orders and shipments."""

    def __init__(self, orders: OrderRepository, clock: Clock = utc_now) -> None:
        self._orders, self._clock = orders, clock

    def orders(
        self, limit: int, cursor: str | None, status: OrderStatus | None, customer_id: str | None
    ) -> tuple[OrderSummaries, Slice]:
        """Return summaries of orders, newest first, and the slice of the index that they are from."""
        if customer_id is not None:
            return self._orders_of_customer(customer_id, limit, cursor, status)
        only_open = status is not None and not is_final(status)
        page = self._orders.orders.read(limit, cursor, only_open, lambda entry: status in (None, entry.data["status"]))
        summaries = self._summaries(page.entries)
        matching = [item for item in summaries.items if status in (None, item["status"])]
        return OrderSummaries(matching, summaries.unreadable), page

    def _summaries(self, entries: Sequence[Entry]) -> OrderSummaries:
        """Return the summaries of index entries.

        The summary of a pending order comes from its record: after a crash the entry may have no record, or the record
        of another order with the same id.
        """
        summaries: dict[str, JsonObject | None] = {
            entry.id: self._orders.summary(entry.id) if _is_pending(entry) else entry.data for entry in entries
        }
        result = self._read([order_id for order_id, data in summaries.items() if data is None])
        summaries |= {order.id: summary(order) for order in result.orders}
        return OrderSummaries(
            [_summary_view(entry.id, data) for entry in entries if (data := summaries[entry.id])],
            len(result.unreadable),
        )

    def _orders_of_customer(
        self, customer_id: str, limit: int, cursor: str | None, status: OrderStatus | None
    ) -> tuple[OrderSummaries, Slice]:
        page = self._orders.customer_orders(customer_id, limit, cursor)
        result = self._read([entry.id for entry in page.entries])
        orders = [
            order for order in result.orders if order.customer_id == customer_id and status in (None, order.status)
        ]
        return _summaries_of(orders, result), page

    def orders_by_id(self, order_ids: list[str]) -> OrderSummaries:
        """Return those of the orders that exist. Raises UnreadableError if none of them can be read."""
        result = self._read(list(dict.fromkeys(order_ids)))
        if not result.orders and result.unreadable:
            raise next(iter(result.unreadable.values()))
        return _summaries_of(result.orders, result)

    def _read(self, order_ids: Sequence[str]) -> ReadResult:
        return read_each(self._orders, order_ids)

    def shipments(self, limit: int, cursor: str | None, pending: bool) -> tuple[list[JsonObject], Slice]:
        """Return shipments, newest first; with `pending` only those that are neither delivered nor cancelled."""
        page = self._orders.shipments.read(limit, cursor, pending)
        return [{"id": entry.id, **entry.data} for entry in page.entries], page

    def order_backlog(self) -> int:
        """Return how many orders are not final."""
        return self._orders.orders.open_count()

    def waiting(self, enough: int) -> int:
        """Return how many orders wait for the system rather than a person or the courier; stops counting at `enough`.

        While fewer than `enough` orders are open it returns the number of open orders, which is cheaper.
        """
        count = self._orders.orders.open_count()
        if count < enough:
            return count
        handed_over = {entry.data["orderId"] for entry in _open(self._orders.shipments) if _is_with_courier(entry)}
        open_orders = _open(self._orders.orders)
        waiting = (entry for entry in open_orders if _waits_for_system(entry) and entry.id not in handed_over)
        return sum(1 for _ in islice(waiting, enough))

    def shipment_backlog(self) -> int:
        """Return how many shipments are neither delivered nor cancelled."""
        return self._orders.shipments.open_count()

    def charge_backlog(self) -> int:
        """Return how many fulfillments wait for their charge, among the newest 1,000 open orders."""
        page = self._orders.orders.read(_BACKLOG_SAMPLE, None, only_open=True, match=_processing)
        return sum(_uncharged(order) for order in self._read([entry.id for entry in page.entries]).orders)

    def complete_rate(self) -> float:
        """Return the orders completed per second over the last 30 seconds."""
        since = int(self._clock().timestamp()) - _RATE_SECONDS
        return self._orders.orders.closed_since(OrderStatus.COMPLETED.value, since) / _RATE_SECONDS


def _summaries_of(orders: Sequence[Order], result: ReadResult) -> OrderSummaries:
    return OrderSummaries([_summary_view(order.id, summary(order)) for order in orders], len(result.unreadable))


def _open(index: IndexReader) -> Iterator[Entry]:
    return chain.from_iterable(index.open_pages(_OPEN_AT_ONCE))


def _is_pending(entry: Entry) -> bool:
    return bool(entry.data["status"] == OrderStatus.PENDING.value)


def _is_with_courier(entry: Entry) -> bool:
    return entry.data.get("status") != ShipmentStatus.PENDING.value


def _waits_for_system(entry: Entry) -> bool:
    return entry.data.get("status") in {OrderStatus.PENDING.value, OrderStatus.PROCESSING.value}


def _processing(entry: Entry) -> bool:
    return entry.data.get("status") == OrderStatus.PROCESSING.value


def _uncharged(order: Order) -> int:
    return sum(
        part.payment is not None and part.payment.status == PaymentStatus.PENDING and not is_final(part.status)
        for part in order.fulfillments or []
    )


def _summary_view(order_id: str, data: JsonObject) -> JsonObject:
    """Return an order as lists show it."""
    return {"id": order_id, **data, "currency": CURRENCY}
