"""Checks of a whole round: of each order, of the lists, the stock, the tallies and the workflow engine."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlencode

import grpc
import requests

from tests.chaos.evidence import Evidence, gather
from tests.chaos.faults import Column, Fault
from tests.chaos.order_checks import faults_of
from tests.chaos.orders import TrackedOrder
from tests.chaos.retrying_calls import in_parallel
from tests.chaos.stock_levels import StockLevels
from tests.chaos.workflow_checks import WorkflowChecks
from tests.e2e.client import Json, Shop

_PAUSE = 2.0
_OPEN = ("pending", "customerActionRequired", "approvalRequired", "processing")
_AREAS = ("orders", "charge", "shipments")


def check_orders(
    shop: Shop, orders: list[TrackedOrder], prices: Mapping[str, int], deadline: float
) -> tuple[list[Evidence], list[Fault]]:
    """Return the evidence of the orders, and the checks that still fail at the monotonic `deadline`."""
    evidence: dict[str, Evidence] = {}
    faults: dict[str, list[Fault]] = {}
    unsettled = orders
    while unsettled:
        for one in in_parallel(lambda order: gather(shop, order), unsettled):
            evidence[one.tracked.id], faults[one.tracked.id] = one, faults_of(one, prices)
        unsettled = [order for order in unsettled if faults[order.id]]
        if time.monotonic() > deadline:
            break
        if unsettled:
            time.sleep(_PAUSE)
    return list(evidence.values()), [fault for found in faults.values() for fault in found]


def check_rest(
    shop: Shop,
    evidence: list[Evidence],
    customer_ids: list[str],
    stock_levels: StockLevels,
    engine: WorkflowChecks,
    deadline: float,
) -> list[Fault]:
    """Return the other checks of a round that still fail at the monotonic `deadline`."""
    by_customer = {customer_id: _orders_of(evidence, customer_id) for customer_id in customer_ids}
    stock_levels.delivered(order for orders in by_customer.values() for order in orders)
    engine.expect(one.tracked.id for one in evidence)

    def stock() -> list[Fault]:
        return [Fault(Column.WRONG, "stock", text) for text in stock_levels.faults()]

    def lists() -> list[Fault]:
        return [*_newest(shop, evidence), *_open_lists(shop), *_customer_lists(shop, by_customer)]

    def tallies() -> list[Fault]:
        return [fault for who, orders in by_customer.items() for fault in _tally(shop, who, orders)]

    return [
        fault
        for check in (stock, lists, tallies, engine.faults, lambda: _complete_feed(shop, evidence))
        for fault in _settled(check, deadline)
    ]


def _settled(check: Callable[[], list[Fault]], deadline: float) -> list[Fault]:
    while (found := _failures(check)) and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    return found


def _failures(check: Callable[[], list[Fault]]) -> list[Fault]:
    try:
        return check()
    except (AssertionError, KeyError, TypeError, requests.RequestException, grpc.RpcError) as error:
        return [Fault(Column.WRONG, "a check", f"failed: {error!r}")]


def _orders_of(evidence: list[Evidence], customer_id: str) -> list[Json]:
    return [one.order for one in evidence if one.order is not None and one.order["customerId"] == customer_id]


def _newest(shop: Shop, evidence: list[Evidence]) -> list[Fault]:
    return _each_once("the list of orders", [one.tracked.id for one in evidence], _ids(shop, "/orders"))


def _customer_lists(shop: Shop, by_customer: Mapping[str, list[Json]]) -> list[Fault]:
    found = []
    for customer_id, orders in by_customer.items():
        path = "/orders?" + urlencode({"customerId": customer_id})
        ordered, listed = [order["id"] for order in orders], _ids(shop, path)
        found += _each_once(f"the list of {customer_id}", ordered, listed)
        found += [Fault(Column.DOUBLE, one, f"was not ordered by {customer_id}") for one in set(listed) - set(ordered)]
    return found


def _open_lists(shop: Shop) -> list[Fault]:
    paths = [*(f"/orders?status={status}" for status in _OPEN), "/shipments/pending"]
    listed = [Fault(Column.STUCK, path, f"still lists {one}") for path in paths for one in _ids(shop, path)]
    backlogs = {area: shop.get("orderprocessing", f"/{area}/stats")["backlog"] for area in _AREAS}
    counted = [Fault(Column.STUCK, f"/{area}/stats", f"backlog {count}") for area, count in backlogs.items() if count]
    return listed + counted


def _ids(shop: Shop, path: str) -> list[str]:
    return [line["id"] for page in shop.pages("orderprocessing", path, limit=1000) for line in page]


def _each_once(where: str, wanted: Iterable[str], listed: Iterable[str]) -> list[Fault]:
    times = Counter(listed)
    missing = [Fault(Column.LOST, one, f"is not in {where}") for one in wanted if times[one] == 0]
    twice = [Fault(Column.DOUBLE, one, f"is {count} times in {where}") for one, count in times.items() if count > 1]
    return missing + twice


def _tally(shop: Shop, customer_id: str, orders: list[Json]) -> list[Fault]:
    parts = [part for order in orders for part in order["fulfillments"] or []]
    kept = sum(part["payment"]["total"] for part in parts if part["status"] == "completed")
    tally = shop.get("fraud", f"/tally/{customer_id}")["tally"]
    return [] if tally == kept else [Fault(Column.WRONG, customer_id, f"fraud counts {tally}, delivered was {kept}")]


def _complete_feed(shop: Shop, evidence: list[Evidence]) -> list[Fault]:
    """Check the feed of all orders, which is stored separately from the feeds of single orders."""
    wanted = [f"{one.tracked.id}/{step['seq']}" for one in evidence for step in one.timeline]
    listed = [event["id"] for page in shop.pages("notifications", "/events", limit=1000) for event in page]
    dead = [line.get("id", "without id") for page in shop.pages("notifications", "/events/dead") for line in page]
    return [
        *_each_once("the feed of all orders", wanted, listed),
        *(Fault(Column.LOST, one, "is a dead letter") for one in dead),
    ]
