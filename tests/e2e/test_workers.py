"""Workers are killed, added and stopped under a stream of orders, and the API continues without them."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import requests

from launcher.paths import VENV
from tests.e2e.client import Json
from tests.e2e.collector import Collector
from tests.e2e.crashes import kill
from tests.e2e.groups import System
from tests.e2e.launch import PATIENT, make_stack, running
from tests.e2e.polling import eventually
from tests.e2e.shopper import Shopper

PORT_OFFSET = 5000
RATE = 3.0
OUTAGE_S = 8.0
PAGES = ("/", "/shop/?customer=1234", "/approvals/", "/courier/", "/store/", "/operator/", "/support/")
HIGH_VALUE = 120_000

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[System]:
    with running(make_stack(tmp_path_factory.mktemp("workers"), PORT_OFFSET, PATIENT, collector.address)) as system:
        yield system


@dataclass
class Stream:
    """Orders that are placed at a rate, whatever happens, and every answer that is not 202."""

    accepted: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self, shopper: Shopper, body: Json) -> None:
        due = time.monotonic()
        while not self.stopping.wait(max(0.0, due - time.monotonic())):
            due += 1 / RATE
            try:
                answer = shopper.shop.call("orderprocessing", "POST", "/orders", body)
            except requests.RequestException as error:
                self.failed.append(repr(error))
                continue
            if answer.status_code == 202:
                self.accepted.append(str(answer.json()["id"]))
            else:
                self.failed.append(f"{answer.status_code} {answer.text}")


@contextmanager
def stream(shopper: Shopper, sku: str) -> Iterator[Stream]:
    """Place orders while the block runs."""
    stream = Stream()
    thread = threading.Thread(target=stream.run, args=(shopper, shopper.request({sku: 1})))
    thread.start()
    try:
        yield stream
    finally:
        stream.stopping.set()
        thread.join()


def test_api_and_console_continue_while_every_worker_is_dead(system: System) -> None:
    shopper, shop = Shopper(system.shop), system.shop
    sku, high_value = shopper.goods(a=10_000), shopper.goods(price=HIGH_VALUE, a=100)
    waiting, unwanted = shopper.orders({high_value: 1}), shopper.orders({high_value: 1})
    for order_id in (waiting, unwanted):
        shopper.sees(order_id, "approvalRequired")
    booked = shopper.orders({sku: 1})
    [shipment] = shopper.sees_shipments(booked, "booked")
    with stream(shopper, sku) as placing:
        eventually(lambda: len(placing.accepted) > 3)
        with system.stack.without(*system.stack.workers):
            ends = time.monotonic() + OUTAGE_S
            assert shop.get("orderprocessing", "/orders/stats")["workerCount"] == 0
            shop.approve(waiting)
            shop.act(unwanted, "cancel")
            shop.report(shipment, "dispatched")
            before = len(placing.accepted)
            eventually(lambda: len(placing.accepted) > before + 1)
            while time.monotonic() < ends:
                newest = shop.order(placing.accepted[-1])
                assert newest["status"] == "pending"
                shown = shop.order(waiting)
                assert (shown["status"], shown["workflow"]) == ("approvalRequired", None)
                assert shop.get("orderprocessing", "/orders", limit=5)
                assert shop.timeline(booked)
                assert {path: shop.call("web", "GET", path).status_code for path in PAGES} == dict.fromkeys(PAGES, 200)
                assert shop.is_ready("orderprocessing")
            assert len(placing.accepted) - before >= OUTAGE_S
        system.stack.wait_ready()
        there = len(placing.accepted)
        eventually(lambda: len(placing.accepted) > there + 3)
    assert placing.failed == []
    shop.report(shipment, "delivered")
    shopper.sees(booked, "completed")
    shopper.delivers(waiting)
    shopper.sees(unwanted, "cancelled")
    for order_id in placing.accepted:
        shopper.delivers(order_id)


def test_each_process_is_restarted_alone(system: System) -> None:
    stack = system.stack
    for victim in ("orderprocessing", *stack.workers):
        before = {name: stack.pid(name) for name in stack.names()}
        kill(stack, victim)
        eventually(lambda victim=victim, before=before: stack.pid(victim) not in {None, before[victim]})
        assert {name for name in before if stack.pid(name) != before[name]} == {victim}
        stack.wait_ready()


def test_workers_are_added_and_stopped_under_a_stream_of_orders(system: System) -> None:
    shopper, stack = Shopper(system.shop), system.stack
    sku = shopper.goods(a=10_000)

    def count() -> int:
        return int(system.shop.get("orderprocessing", "/orders/stats")["workerCount"])

    eventually(lambda: count() == 2)
    with stream(shopper, sku) as placing:
        assert "Started worker-3." in oms(system, "start")
        eventually(lambda: count() == 3)
        eventually(lambda: " running" in line_of(system, "worker-3"))
        assert str(stack.pid("worker-3")) in line_of(system, "worker-3").split()
        for name in ("worker-1", "worker-2"):
            assert f"Stopped {name}." in oms(system, "stop", name)
        assert stack.workers == ["worker-3"]
        eventually(lambda: count() == 1)
        there = len(placing.accepted)
        eventually(lambda: len(placing.accepted) > there + 5)
        assert "Started worker-1." in oms(system, "start")
    assert placing.failed == []
    for order_id in placing.accepted:
        shopper.delivers(order_id)


def line_of(system: System, worker: str) -> str:
    """Return the line about a worker in the list."""
    [line] = [line for line in oms(system, "list").splitlines() if line.startswith(f"{worker} ")]
    return line


def oms(system: System, *arguments: str) -> str:
    """Run `oms worker` and return its output."""
    command = [VENV / "bin" / "oms", "worker", *arguments, "--state-dir", system.stack.state_dir]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_workers_log_no_error_that_a_crash_does_not_explain(system: System) -> None:
    logs = [system.stack.log_of(name) for name in ("orderprocessing", "worker-1", "worker-2", "worker-3")]
    assert not [line for log in logs for line in log.read_text().splitlines() if " ERROR " in line]
