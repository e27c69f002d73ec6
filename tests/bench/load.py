"""Customers and couriers: orders of one item, as fast as they are taken or at a rate, and each delivered at once."""

import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from tests.e2e.client import Json, Shop

SKU = "Vans Old Skool"
_NEXT = {"booked": "dispatched", "dispatched": "delivered"}
_COURIER_LOOKS_EVERY = 0.1
_CUSTOMERS_LOOK_EVERY = 0.2
_MOST_CUSTOMERS = 64


@dataclass
class Course:
    """What became of the orders of one run; times in seconds."""

    orders: int
    accepted_in: list[float] = field(default_factory=list)
    ended_in: list[float] = field(default_factory=list)
    refused: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    placing: float = 0.0
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        """Orders per second, from the first POST until the last order was final."""
        return len(self.accepted_in) / self.seconds


class Courier:
    """Reports every parcel dispatched and then delivered, as soon as the list shows it."""

    def __init__(self, shop: Shop, hands: int = 8) -> None:
        self._shop, self._hands = shop, hands
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
        with ThreadPoolExecutor(self._hands) as hands:
            while not self._stopping.wait(_COURIER_LOOKS_EVERY):
                listed = self._shop.get("orderprocessing", "/shipments/pending", limit=1000)
                list(hands.map(self._report, [one for one in listed if one["status"] in _NEXT]))

    def _report(self, parcel: Json) -> None:
        report = (parcel["id"], _NEXT[parcel["status"]])
        if report not in self._reported:
            self._shop.post("orderprocessing", f"/shipments/{report[0]}/status", {"status": report[1]}, 202)
            self._reported.add(report)


def as_fast_as_taken(shop: Shop, orders: int, customers: int, timeout: float) -> Course:
    """Place orders from several customers, each of whom waits for one answer before the next order."""
    return _run(shop, customers, [0.0] * orders, timeout)


def at_rate(shop: Shop, rate: float, seconds: float, timeout: float) -> Course:
    """Place `rate` orders a second for so many seconds, whether or not those before were answered."""
    return _run(shop, _MOST_CUSTOMERS, [number / rate for number in range(round(rate * seconds))], timeout)


def _run(shop: Shop, customers: int, times: Sequence[float], timeout: float) -> Course:
    """Place an order at each of these times, in seconds from now, or as soon after it as a customer is free."""
    course, run = Course(len(times)), uuid.uuid4().hex[:6]
    began = time.perf_counter()
    with Courier(shop), ThreadPoolExecutor(customers) as pool:
        placed: list[Future[float | None]] = []
        for number, at in enumerate(times):
            if (early := began + at - time.perf_counter()) > 0:
                threading.Event().wait(early)
            placed.append(pool.submit(_place, shop, f"{run}-{number}"))
        answers = [one.result() for one in placed]
        course.placing = time.perf_counter() - began
        course.accepted_in = [one for one in answers if one is not None]
        course.refused = answers.count(None)
        while shop.get("orderprocessing", "/orders/stats")["backlog"]:
            if time.perf_counter() - began > timeout:
                break
            threading.Event().wait(_CUSTOMERS_LOOK_EVERY)
        course.seconds = time.perf_counter() - began
    _look_back(shop, [f"{run}-{number}" for number, answer in enumerate(answers) if answer is not None], course)
    return course


def _place(shop: Shop, order_id: str) -> float | None:
    """Place an order; return how long the answer took, None where it was refused because there is too much to do."""
    began = time.perf_counter()
    body = {"id": order_id, "customerId": "1234", "items": [{"sku": SKU, "quantity": 1}]}
    answer = shop.call("orderprocessing", "POST", "/orders", body, timeout=60)
    assert answer.status_code in (202, 429), (answer.status_code, answer.text)
    return time.perf_counter() - began if answer.status_code == 202 else None


def _look_back(shop: Shop, order_ids: Iterable[str], course: Course) -> None:
    for order_id in order_ids:
        order = shop.order(order_id)
        course.statuses[order["status"]] = course.statuses.get(order["status"], 0) + 1
        if order["completedAt"]:
            took = datetime.fromisoformat(order["completedAt"]) - datetime.fromisoformat(order["receivedAt"])
            course.ended_in.append(took.total_seconds())
