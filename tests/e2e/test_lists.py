"""Lists of orders: pages by links, filters, and batches by id."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice, pairwise

import pytest

from services.common.clock import moment
from tests.e2e.client import Json, Shop
from tests.e2e.polling import eventually, holds
from tests.e2e.shopper import FINAL, Shopper

MANY = 250
AT_ONCE = timedelta(seconds=1)
"""Orders received within this time from eight clients may be listed in either order."""


@dataclass(frozen=True)
class Crowd:
    """Many orders of one customer, some of them cancelled."""

    customer_id: str
    placed: list[str]
    cancelled: list[str]


@pytest.fixture(scope="module")
def crowd(shop: Shop) -> Crowd:
    """250 orders, of which every fifth is cancelled."""
    shopper = Shopper(shop)
    sku = shopper.goods(price=100)  # out of stock: no payment or shipment, so this is fast

    def places(number: int) -> str | None:
        order_id = shopper.orders({sku: 1})
        if number % 5:
            return None
        # At once, because an order without a decision times out within seconds.
        shop.act(order_id, "cancel")
        return order_id

    with ThreadPoolExecutor(8) as pool:
        cancelled = [order_id for order_id in pool.map(places, range(MANY)) if order_id]
    return Crowd(shopper.customer_id, shopper.placed, cancelled)


def listed(shop: Shop, **query: object) -> list[Json]:
    """Return all entries of the list of orders."""
    return list(lines_of(shop, **query))


def lines_of(shop: Shop, **query: object) -> Iterator[Json]:
    """Yield the entries of the list of orders. Pages are loaded on demand."""
    return (line for page in shop.pages("orderprocessing", "/orders", **query) for line in page)


def test_pages_contain_every_order_once_newest_first(shop: Shop, crowd: Crowd) -> None:
    pages = list(shop.pages("orderprocessing", "/orders", limit=60))
    lines = [line for page in pages for line in page]
    ids = [line["id"] for line in lines]
    assert len(ids) == len(set(ids))
    assert set(crowd.placed) <= set(ids)
    assert {len(page) for page in pages[:-1]} == {60}
    received = [moment(line["receivedAt"]) for line in lines]
    for above, below in pairwise(received):
        assert above > below - AT_ONCE


def test_sequential_orders_are_listed_newest_first(shop: Shop, shopper: Shopper) -> None:
    sku = shopper.goods(price=100)
    order_ids = [shopper.orders({sku: 1}) for _ in range(10)]
    assert [line["id"] for line in islice(lines_of(shop, limit=4), 10)] == order_ids[::-1]
    mine = listed(shop, customerId=shopper.customer_id, limit=4)
    assert [line["id"] for line in mine] == order_ids[::-1]


def test_list_entry_matches_the_order(shop: Shop, crowd: Crowd) -> None:
    [line] = [one for one in listed(shop, customerId=crowd.customer_id) if one["id"] == crowd.placed[0]]
    order = shop.order(crowd.placed[0])
    assert line == {key: order[key] for key in ("id", "status", "receivedAt", "customerId", "goodsTotal", "currency")}


def test_customer_list_contains_only_orders_of_the_customer(shop: Shop, crowd: Crowd) -> None:
    lines = listed(shop, customerId=crowd.customer_id, limit=70)
    assert sorted(line["id"] for line in lines) == sorted(crowd.placed)


@pytest.mark.parametrize("scope", ["all customers", "one customer"])
def test_status_filter_returns_exactly_the_matching_orders(shop: Shop, crowd: Crowd, scope: str) -> None:
    more = {"customerId": crowd.customer_id} if scope == "one customer" else {}

    def look() -> None:
        lines = listed(shop, status="cancelled", limit=50, **more)
        assert {line["status"] for line in lines} == {"cancelled"}
        mine = [line["id"] for line in lines if line["customerId"] == crowd.customer_id]
        assert sorted(mine) == sorted(crowd.cancelled)

    holds(look)


def test_batch_returns_exactly_the_requested_orders(shop: Shop, crowd: Crowd) -> None:
    wanted = [crowd.placed[7], crowd.placed[0], "nobody-knows-this-one", crowd.placed[200]]
    lines = shop.get("orderprocessing", "/orders", ids=",".join(wanted))
    assert [line["id"] for line in lines] == [wanted[0], wanted[1], wanted[3]]


def test_stats_count_the_orders_in_flight(shop: Shop, shopper: Shopper) -> None:
    sku = shopper.goods(a=3)
    for order_id in [shopper.orders({sku: 1}) for _ in range(3)]:
        shopper.sees_shipments(order_id, "booked")

    def look() -> None:
        stats = shop.get("orderprocessing", "/orders/stats")
        under_way = [line for line in listed(shop, limit=1000) if line["status"] not in FINAL]
        assert stats["backlog"] == len(under_way) >= 3
        assert stats["workerCount"] == 2

    holds(look)
    pending = [one for page in shop.pages("orderprocessing", "/shipments/pending", limit=1000) for one in page]
    assert shop.get("orderprocessing", "/shipments/stats") == {"workerCount": 2, "backlog": len(pending)}
    assert shop.get("orderprocessing", "/charge/stats") == {"workerCount": 2, "backlog": 0}
    before = shop.get("orderprocessing", "/orders/stats")["completeRate"]
    shopper.delivers(shopper.placed[0])
    assert eventually(lambda: shop.get("orderprocessing", "/orders/stats")["completeRate"]) >= before
