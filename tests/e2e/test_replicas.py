"""Two replicas of orderprocessing: one is enough to continue, and a rolling restart fails no request."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
import requests

from tests.e2e.client import Json, Shop
from tests.e2e.collector import Collector
from tests.e2e.groups import System
from tests.e2e.launch import PATIENT, make_stack, running
from tests.e2e.polling import eventually
from tests.e2e.shopper import Shopper

PORT_OFFSET = 5000
REPLICAS = ("orderprocessing", "orderprocessing-2")
TAKEN_OVER_WITHIN = 25.0
SECONDS_BETWEEN = 0.05

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("replicas")
    patient = {name: PATIENT[name] for name in ("ORDER_ACTION_TIMEOUT", "APPROVAL_TIMEOUT")}
    patient["BACKLOG_LIMIT"] = "100000"  # orders without a pause must not be rejected here
    stack = make_stack(folder, PORT_OFFSET, patient, collector.address)
    stack.replicas = {"orderprocessing": 2}
    with running(stack) as system:
        yield system


def place_at_both(shopper: Shopper, sku: str, count: int) -> list[str]:
    """Place orders at both replicas in turn."""
    placed = []
    for number in range(count):
        body = shopper.request({sku: 1})
        answer: Json = shopper.shop.post(REPLICAS[number % 2], "/orders", body, expect=202)
        placed.append(str(answer["id"]))
    return placed


def test_both_replicas_count_the_workers_of_both_and_show_the_same_order(two: System) -> None:
    shopper = Shopper(two.shop)
    [order_id] = place_at_both(shopper, shopper.goods(a=1), 1)
    shopper.sees_shipments(order_id, "booked")
    seen = [two.shop.get(name, f"/orders/{order_id}")["fulfillments"] for name in REPLICAS]
    assert seen[0] == seen[1]
    eventually(lambda: [two.shop.get(name, "/orders/stats")["workerCount"] for name in REPLICAS] == [4, 4])


@pytest.mark.parametrize("victim", REPLICAS)
def test_orders_of_a_killed_replica_continue_at_the_other_within_seconds(two: System, victim: str) -> None:
    [survivor] = {*REPLICAS} - {victim}
    shop = Shop(
        lambda name: two.stack.address(survivor if name in REPLICAS else name),
        two.stack.sidecar_address,
        two.stack.tokens,
    )
    shopper = Shopper(shop)
    sku = shopper.goods(a=40)
    placed = place_at_both(Shopper(two.shop), sku, 12)
    with two.stack.without(victim, f"{victim} sidecar", *two.stack.workers_of(victim)):
        killed = time.monotonic()
        placed += [shopper.orders({sku: 1}) for _ in range(4)]
        for order_id in placed:
            shopper.delivers(order_id)
        assert time.monotonic() - killed < TAKEN_OVER_WITHIN
    two.stack.wait_ready()


@dataclass
class Load:
    """Results of customers who send requests during a rolling restart."""

    accepted: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    refused: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def customer(self, shop: Shop, first: int, body: Json) -> None:
        """Place and read orders in turn at both replicas. Tries the other one when a connection is refused."""
        turn = first
        while not self.stop.wait(SECONDS_BETWEEN):
            turn += 1
            answer = self._ask(shop, turn, "POST", "/orders", body)
            if answer is not None and answer.status_code == 202:
                self.accepted.append(str(answer.json()["id"]))
                answer = self._ask(shop, turn, "GET", f"/orders/{self.accepted[-1]}")
            if answer is not None and not answer.ok:
                self.failed.append(f"{answer.status_code} {answer.text}")

    def _ask(self, shop: Shop, turn: int, method: str, path: str, body: Json | None = None) -> requests.Response | None:
        for attempt in range(200):
            try:
                return shop.call(REPLICAS[(turn + attempt) % 2], method, path, body)
            except requests.RequestException as error:
                if not _is_refused(error):
                    self.failed.append(repr(error))
                    return None
                self.refused += 1
        self.failed.append("both replicas refused connections for too long")
        return None


def _is_refused(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ConnectionRefusedError) or "Connection refused" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def test_rolling_restart_under_load_fails_no_request(two: System) -> None:
    shopper = Shopper(two.shop)
    body = shopper.request({shopper.goods(a=100_000): 1})
    load = Load()
    before = {name: two.stack.pid(name) for name in two.stack.names()}
    with ThreadPoolExecutor(6) as pool:
        ends = [pool.submit(load.customer, two.shop, number, body) for number in range(6)]
        eventually(lambda: len(load.accepted) > 20)
        two.stack.restart({"orderprocessing"})
        there = len(load.accepted)
        eventually(lambda: len(load.accepted) > there + 20)
        load.stop.set()
    assert [end.exception() for end in ends] == [None] * 6
    assert load.failed == []
    restarted = [name for name in before if two.stack.pid(name) != before[name]]
    assert sorted(restarted) == sorted([*REPLICAS, *(f"{name} sidecar" for name in REPLICAS), *two.stack.workers])
    for order_id in load.accepted:
        shopper.sees_shipments(order_id, "booked")


def test_replicas_log_no_error(two: System) -> None:
    logs = [two.stack.log_of(name) for name in (*REPLICAS, *two.stack.workers)]
    assert not [line for log in logs for line in log.read_text().splitlines() if " ERROR " in line]
