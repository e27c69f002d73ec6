"""Histories, logs and the list of workers name the worker of each activity, also when workers are killed in turn."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.e2e.client import Json, Shop
from tests.e2e.groups import System
from tests.e2e.polling import eventually
from tests.e2e.shopper import Shopper

pytestmark = pytest.mark.timeout(240)

CUSTOMERS, PAUSE = 6, 2.0
"""Six customers who each order every two seconds: about three orders a second."""


def history(shop: Shop, order_id: str) -> list[Json]:
    """Return the events of all workflow instances of an order."""
    instances = shop.get("orderprocessing", f"/orders/{order_id}/history")
    return [event for instance in instances for event in instance["events"]]


def runs(shop: Shop, order_id: str) -> list[Json]:
    """Return the runs of activities in an order's history, each with its activity and type of event."""
    return [
        {**event["run"], "activity": event["name"], "type": event["type"]}
        for event in history(shop, order_id)
        if event["run"] is not None
    ]


def workers_of(shop: Shop, order_id: str) -> set[str]:
    return {run["worker"] for run in runs(shop, order_id)}


def listed(shop: Shop) -> dict[str, Json]:
    """Return the list of workers for operators, by name."""
    return {worker["name"]: worker for worker in shop.get("orderprocessing", "/workers")}


@dataclass
class Stream:
    """Customers who place orders and get them delivered until it is stopped."""

    shopper: Shopper
    sku: str
    delivered: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def customer(self) -> None:
        while not self.stop.wait(PAUSE):
            order_id = self.shopper.orders({self.sku: 1})
            self.shopper.delivers(order_id)
            self.delivered.append(order_id)


@contextmanager
def stream_of(shopper: Shopper) -> Iterator[Stream]:
    """Run a stream during the block, then let its open orders end; an order that does not complete fails the test."""
    stream = Stream(shopper, shopper.goods(a=100_000))
    with ThreadPoolExecutor(CUSTOMERS) as pool:
        ends = [pool.submit(stream.customer) for _ in range(CUSTOMERS)]
        try:
            yield stream
        finally:
            stream.stop.set()
    assert [end.exception() for end in ends] == [None] * CUSTOMERS


def test_with_workers_killed_in_turn_a_history_names_both_and_no_order_fails(system: System) -> None:
    shop, stack = system.shop, system.stack
    first, second = stack.workers
    shopper = Shopper(shop)
    with stream_of(Shopper(shop)) as stream:
        eventually(lambda: len(stream.delivered) >= 3)
        began = listed(shop)[second]["since"]
        with stack.without(second):
            order_id = shopper.orders({shopper.goods(a=1): 1})
            [shipment] = shopper.sees_shipments(order_id, "booked")
            eventually(lambda: listed(shop)[second]["status"] == "lost")
        stack.wait_ready()
        eventually(lambda: listed(shop)[second]["status"] == "running")
        with stack.without(first):
            for status in ("dispatched", "delivered"):
                shop.report(shipment, status)
            shopper.sees(order_id, "completed")
        stack.wait_ready()
    assert sorted(listed(shop)) == sorted(stack.workers)
    assert listed(shop)[second]["since"] > began
    found = runs(shop, order_id)
    assert {run["worker"] for run in found if run["activity"] in {"reserve", "charge", "book"}} == {first}
    assert [run["worker"] for run in found if run["activity"] == "follow_courier"][-1] == second
    for run in found:
        assert run["try"] == 1
        assert run["durationMs"] >= 0
    assert {shop.order(one)["status"] for one in stream.delivered} == {"completed"}
    assert {name for one in stream.delivered for name in workers_of(shop, one)} == {first, second}


def test_every_try_of_an_activity_is_in_the_history_with_its_number(system: System) -> None:
    shop, shopper = system.shop, Shopper(system.shop)
    sku = shopper.goods(a=2)
    shopper.delivers(shopper.orders({sku: 1}))  # from now on, the prices are known
    with system.stack.without("inventory"):
        order_id = shopper.orders({sku: 1})
        eventually(lambda: len([run for run in runs(shop, order_id) if run["type"] == "taskFailed"]) >= 3)
    shopper.delivers(order_id)
    tries = [run for run in runs(shop, order_id) if run["activity"] == "reserve"]
    assert [run["try"] for run in tries] == list(range(1, len(tries) + 1))
    assert [run["type"] for run in tries] == ["taskFailed"] * (len(tries) - 1) + ["taskCompleted"]
    assert {run["worker"] for run in tries} <= set(system.stack.workers)
    inputs = [event["input"] for event in history(shop, order_id) if event["type"] == "taskScheduled"]
    assert "_try" not in json.dumps(inputs)


def test_each_run_has_a_log_line_of_its_worker(system: System) -> None:
    shop, shopper = system.shop, Shopper(system.shop)
    order_id = shopper.orders({shopper.goods(a=1): 1})
    shopper.delivers(order_id)
    for run in runs(shop, order_id):
        lines = system.stack.log_of(run["worker"]).read_text().splitlines()
        fields = [
            f"activity {run['activity']} completed",
            *(f"{name}={run[name]}" for name in ("worker", "workerVersion", "durationMs", "try")),
            f"orderId={order_id}",
            "traceId=",
        ]
        assert [line for line in lines if all(part in line for part in fields)], fields
