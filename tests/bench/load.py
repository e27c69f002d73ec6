"""The load of the benchmarks: orders of one item, as fast as possible or at a rate; a courier delivers each at once."""

import threading
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import NamedTuple

from services.load_generator.paced_sender import PacedSender
from services.load_generator.simulated_users import NEXT_REPORT
from tests.e2e.client import Json, Shop

SKU = "Vans Old Skool"
_COURIER_POLLS_EVERY = 0.1
_BACKLOG_POLLS_EVERY = 0.2
_MAX_CUSTOMERS = 64


class Placed(NamedTuple):
    """A request to place an order: when it was sent, its HTTP status, and its latency; times in seconds."""

    order_id: str
    at: float
    status: int
    took: float


@dataclass
class Course:
    """The results of one run; times in seconds."""

    orders: int
    accepted_in: list[float] = field(default_factory=list)
    ended_in: list[float] = field(default_factory=list)
    refused: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    placing: float = 0.0
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        """Orders per second, from the first request until the last order was final."""
        return len(self.accepted_in) / self.seconds


class Courier:
    """Reports every shipment dispatched and then delivered, as soon as the list contains it."""

    def __init__(self, shop: Shop, threads: int = 8) -> None:
        self._shop, self._threads = shop, threads
        self._reported: set[tuple[str, str]] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="courier", daemon=True)

    def __enter__(self) -> "Courier":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _work(self) -> None:
        with ThreadPoolExecutor(self._threads) as pool:
            while not self._stopping.wait(_COURIER_POLLS_EVERY):
                listed = self._shop.get("orderprocessing", "/shipments/pending", limit=1000)
                list(pool.map(self._report, [line for line in listed if line["status"] in NEXT_REPORT]))

    def _report(self, shipment: Json) -> None:
        report = (shipment["id"], NEXT_REPORT[shipment["status"]])
        if report not in self._reported:
            self._shop.post("orderprocessing", f"/shipments/{report[0]}/status", {"status": report[1]}, 202)
            self._reported.add(report)


def place_orders(shop: Shop, orders: int, rate: float, customers: int) -> list[Placed]:
    """Place orders at a rate a second, however long the answers take, with at most `customers` requests in flight."""
    run, began, placed = uuid.uuid4().hex[:6], time.perf_counter(), list[Placed]()

    def place(number: int) -> None:
        sent = time.perf_counter()
        order_id = f"{run}-{number}"
        body = {"id": order_id, "customerId": "1234", "items": [{"sku": SKU, "quantity": 1}]}
        answer = shop.call("orderprocessing", "POST", "/orders", body, timeout=60)
        placed.append(Placed(order_id, sent - began, answer.status_code, time.perf_counter() - sent))

    sender = PacedSender(place, orders, rate, customers)
    sender.start()
    sender.wait()
    return placed


def as_fast_as_taken(shop: Shop, orders: int, customers: int, timeout: float) -> Course:
    """Place orders from several customers; each waits for one answer before the next order."""
    return _run(shop, orders, inf, customers, timeout)


def at_rate(shop: Shop, rate: float, seconds: float, timeout: float) -> Course:
    """Place `rate` orders a second for so many seconds, however long the answers take."""
    return _run(shop, round(rate * seconds), rate, _MAX_CUSTOMERS, timeout)


def _run(shop: Shop, orders: int, rate: float, customers: int, timeout: float) -> Course:
    course, began = Course(orders), time.perf_counter()
    with Courier(shop):
        placed = place_orders(shop, orders, rate, customers)
        assert {order.status for order in placed} <= {202, 429}, placed
        course.placing = time.perf_counter() - began
        accepted = [order for order in placed if order.status == 202]
        course.accepted_in = [order.took for order in accepted]
        course.refused = orders - len(accepted)
        while shop.get("orderprocessing", "/orders/stats")["backlog"]:
            if time.perf_counter() - began > timeout:
                break
            threading.Event().wait(_BACKLOG_POLLS_EVERY)
        course.seconds = time.perf_counter() - began
    _read_results(shop, [order.order_id for order in accepted], course)
    return course


def _read_results(shop: Shop, order_ids: Iterable[str], course: Course) -> None:
    for order_id in order_ids:
        order = shop.order(order_id)
        course.statuses[order["status"]] = course.statuses.get(order["status"], 0) + 1
        if order["completedAt"]:
            took = datetime.fromisoformat(order["completedAt"]) - datetime.fromisoformat(order["receivedAt"])
            course.ended_in.append(took.total_seconds())
