"""Accepted orders survive kills of a worker and of the API, followed by a power cut of the whole system."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from tests.e2e import consistency
from tests.e2e.collector import Collector
from tests.e2e.crashes import kill, kill_worker_as_readme_says, power_cut
from tests.e2e.groups import System
from tests.e2e.launch import PATIENT, make_stack, running
from tests.e2e.polling import eventually, holds
from tests.e2e.shopper import Shopper

PORT_OFFSET = 3000

pytestmark = pytest.mark.timeout(240)


@dataclass
class Survivors:
    """Orders in flight by state, and those that were accepted just before a crash."""

    shopper: Shopper
    asked: str = ""
    high_value: str = ""
    cancelled: str = ""
    booked: str = ""
    dispatched: str = ""
    before_the_kill: list[str] = field(default_factory=list)
    before_the_cut: list[str] = field(default_factory=list)


def begin(shopper: Shopper) -> Survivors:
    """Bring orders into all long-lasting states."""
    here, nowhere, high_value = shopper.goods(a=40), shopper.goods(), shopper.goods(price=60_000, b=2)
    survivors = Survivors(shopper)
    survivors.asked = shopper.orders({here: 1, nowhere: 1})
    survivors.high_value = shopper.orders({high_value: 2})
    survivors.cancelled, survivors.booked, survivors.dispatched = (shopper.orders({here: 1}) for _ in range(3))
    shopper.sees(survivors.asked, "customerActionRequired")
    shopper.sees(survivors.high_value, "approvalRequired")
    for order_id in (survivors.cancelled, survivors.booked, survivors.dispatched):
        shopper.sees_shipments(order_id, "booked")
    shopper.shop.report(f"{survivors.dispatched}:1", "dispatched")
    return survivors


def place_three(shopper: Shopper) -> list[str]:
    """Place three orders as fast as possible."""
    sku = next(iter(shopper.start))
    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(lambda _: shopper.orders({sku: 2}), range(3)))


def kill_after_accepting_orders(system: System, survivors: Survivors) -> None:
    """Kill a worker and the API right after orders were accepted. The supervisor restarts them."""
    survivors.before_the_kill = place_three(survivors.shopper)
    kill_worker_as_readme_says(system.stack)
    assert system.shop.order(survivors.booked)["id"] == survivors.booked
    kill(system.stack, "orderprocessing")
    with pytest.raises(requests.ConnectionError):
        system.shop.order(survivors.booked)
    eventually(lambda: system.shop.is_ready("orderprocessing"))
    for order_id in survivors.before_the_kill:
        survivors.shopper.sees_shipments(order_id, "booked")
    survivors.before_the_cut = place_three(survivors.shopper)
    system.shop.act(survivors.cancelled, "cancel")
    power_cut(system.stack)


@pytest.fixture(scope="module")
def survivors(crash_folder: Path, collector: Collector) -> Iterator[Survivors]:
    """The orders after a kill, a power cut, and a restart on the same data."""
    with running(make_stack(crash_folder, PORT_OFFSET, PATIENT, collector.address)) as system:
        survivors = begin(Shopper(system.shop))
        kill_after_accepting_orders(system, survivors)
    with running(make_stack(crash_folder, PORT_OFFSET, PATIENT, collector.address)):
        yield survivors


def test_order_that_requires_customer_action_continues_when_amended(survivors: Survivors) -> None:
    order = survivors.shopper.shop.order(survivors.asked)
    assert (order["status"], order["actions"]) == ("customerActionRequired", ["amend", "cancel"])
    survivors.shopper.shop.act(survivors.asked, "amend")
    survivors.shopper.delivers(survivors.asked)


def test_order_that_requires_approval_continues_when_approved(survivors: Survivors) -> None:
    assert survivors.shopper.shop.order(survivors.high_value)["status"] == "approvalRequired"
    survivors.shopper.shop.approve(survivors.high_value)
    survivors.shopper.delivers(survivors.high_value)


def test_cancellation_accepted_just_before_the_power_cut_takes_effect(survivors: Survivors) -> None:
    order = survivors.shopper.sees(survivors.cancelled, "cancelled")
    assert order["fulfillments"][0]["payment"]["status"] == "refunded"


def test_booked_order_is_delivered(survivors: Survivors) -> None:
    survivors.shopper.delivers(survivors.booked)


def test_dispatched_order_is_delivered(survivors: Survivors) -> None:
    shop = survivors.shopper.shop
    assert shop.order(survivors.dispatched)["fulfillments"][0]["shipment"]["status"] == "dispatched"
    shop.report(f"{survivors.dispatched}:1", "delivered")
    survivors.shopper.sees(survivors.dispatched, "completed")


@pytest.mark.parametrize("moment", ["before_the_kill", "before_the_cut"])
def test_orders_accepted_just_before_a_crash_are_delivered(survivors: Survivors, moment: str) -> None:
    order_ids = getattr(survivors, moment)
    assert len(order_ids) == 3
    for order_id in order_ids:
        survivors.shopper.delivers(order_id)


def test_payments_stock_and_feed_are_consistent_afterwards(survivors: Survivors) -> None:
    holds(lambda: consistency.assert_money_agrees(survivors.shopper))
    holds(lambda: consistency.assert_stock_agrees(survivors.shopper))
    holds(lambda: consistency.assert_feed_agrees(survivors.shopper))
