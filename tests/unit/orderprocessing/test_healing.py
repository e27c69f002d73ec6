"""Workflows that wait for what never comes are found, ended, and started anew from the record."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from services.orderprocessing import healing
from services.orderprocessing.healing import Healer, waits_for_ever
from services.orderprocessing.states import OrderStatus
from tests.unit.orderprocessing.balance import check_over
from tests.unit.orderprocessing.world import AT_A, AT_B, World


@dataclass(frozen=True)
class Event:
    """A history event as far as it matters here."""

    event_id: int = -1
    task_scheduled_id: int | None = None


def scheduled(number: int) -> Event:
    return Event(event_id=number)


def result(number: int) -> Event:
    return Event(task_scheduled_id=number)


STARTED = Event()


@pytest.mark.parametrize(
    ("history", "stuck"),
    [
        ([], False),
        ([STARTED, scheduled(1)], False),
        ([STARTED, scheduled(1), STARTED, result(1), scheduled(2)], False),
        ([STARTED, scheduled(1), result(1), scheduled(4), STARTED, result(5), scheduled(5)], True),
        ([STARTED, scheduled(4), result(5), scheduled(5), STARTED, result(5), scheduled(6)], False),
        ([STARTED, scheduled(4), STARTED, result(5)], False),
    ],
    ids=["empty", "waiting", "in order", "result before its cause", "answered again", "cause to come"],
)
def test_only_a_result_that_stands_before_its_cause_makes_a_workflow_wait_for_ever(
    history: list[Event], stuck: bool
) -> None:
    assert waits_for_ever(history) is stuck


@pytest.mark.parametrize("stuck", ["charge-A1-1", "order-A1"])
def test_an_order_whose_workflow_waits_for_ever_is_over_soon(world: World, stuck: str) -> None:
    world.driver.stuck.add(stuck)
    world.place(AT_A, AT_B)
    world.run(12)
    assert world.mend() >= 1
    world.run(5)
    assert world.reconciler.follow_up(world.clock.now) >= 1
    assert world.driver.stuck == set()
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


def test_a_bell_that_nobody_hears_leads_to_the_workflow_that_waits_for_ever(world: World) -> None:
    world.place(AT_A)
    world.run()
    world.driver.stuck.add("shipment-A1-1")
    world.report("dispatched")
    for _ in range(5):
        world.run(6)
        world.mend()
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


def test_an_order_that_waits_for_a_service_is_not_ended(world: World) -> None:
    world.shop.down = {"billing"}
    world.place(AT_A)
    world.run(20)
    world.mend()
    world.shop.down = set()
    world.run(6)
    assert world.order().fulfillments[0].payment.status == "success"
    assert world.driver.instances["order-A1"].status is None


def test_of_a_long_backlog_only_some_histories_are_read_in_a_round(world: World) -> None:
    read: list[str] = []
    healer = Healer(lambda order: bool(read.append(order.id)), lambda _order: None)
    world.place(AT_A)
    orders = [world.order().model_copy(update={"id": f"A{number}"}) for number in range(healing._MOST_AT_ONCE + 10)]
    healer.begin(world.clock.now)
    for order in orders:
        assert not healer.heal(order, world.clock.now)
    assert len(read) == healing._MOST_AT_ONCE
    later = world.clock.now + timedelta(seconds=5)
    healer.begin(later)
    for order in orders:
        healer.heal(order, later)
    assert read == [order.id for order in orders]
