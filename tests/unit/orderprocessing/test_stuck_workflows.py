"""Orders with stuck or missing workflows are recovered from their records."""

from datetime import timedelta

import pytest

from services.common.states import OrderStatus
from services.orderprocessing.recovery import stuck_workflows
from services.orderprocessing.recovery.stuck_workflows import StuckWorkflowRecovery
from tests.unit.orderprocessing.balance import check_over
from tests.unit.orderprocessing.world import AT_A, AT_B, World


@pytest.mark.parametrize("stuck", ["charge-A1-1", "order-A1"])
def test_an_order_with_a_stuck_workflow_is_recovered_soon(world: World, stuck: str) -> None:
    world.driver.stuck.add(stuck)
    world.place(AT_A, AT_B)
    world.run(12)
    assert world.recover() >= 1
    world.run(5)
    assert world.reconciler.follow_up(world.clock.now) >= 1
    assert world.driver.stuck == set()
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


def test_a_signal_without_acknowledgement_reveals_a_stuck_workflow(world: World) -> None:
    world.place(AT_A)
    world.run()
    world.driver.stuck.add("shipment-A1-1")
    world.report("dispatched")
    for _ in range(5):
        world.run(6)
        world.recover()
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


def test_an_order_that_waits_for_a_service_is_not_ended(world: World) -> None:
    world.shop.down = {"billing"}
    world.place(AT_A)
    world.run(20)
    world.recover()
    world.shop.down = set()
    world.run(6)
    assert world.order().fulfillments[0].payment.status == "success"
    assert world.driver.instances["order-A1"].status is None


def test_of_a_long_backlog_only_some_histories_are_read_in_a_round(world: World) -> None:
    read: list[str] = []
    recovery = StuckWorkflowRecovery(lambda order: bool(read.append(order.id)))
    world.place(AT_A)
    orders = [
        world.order().model_copy(update={"id": f"A{number}"}) for number in range(stuck_workflows._CHECKS_PER_SCAN + 10)
    ]
    recovery.begin_scan(world.clock.now)
    for order in orders:
        assert not recovery.check(order, world.clock.now)
    assert len(read) == stuck_workflows._CHECKS_PER_SCAN
    later = world.clock.now + timedelta(seconds=4)
    recovery.begin_scan(later)
    for order in orders:
        recovery.check(order, later)
    assert read == [order.id for order in orders]


def test_an_order_that_waits_for_another_reason_is_checked_less_and_less_often(world: World) -> None:
    read: list[float] = []
    began = world.clock.now
    recovery = StuckWorkflowRecovery(lambda _order: bool(read.append((world.clock.now - began).total_seconds())))
    world.place(AT_A)
    for _ in range(60):
        recovery.begin_scan(world.clock.now)
        recovery.check(world.order(), world.clock.now)
        world.clock.now += timedelta(seconds=5)
    assert read == [0, 5, 15, 35, 75, 155]


def test_a_missing_workflow_is_restarted_within_seconds(world: World) -> None:
    world.place(AT_A)
    world.run(3)
    del world.driver.instances["charge-A1-1"]
    del world.driver.instances["order-A1"]
    for _ in range(3):
        world.run(6)
        world.recover()
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


def test_an_order_that_has_ended_is_left_alone(world: World) -> None:
    world.shop.down = {"billing"}
    world.place(AT_A)
    world.run(2)
    world.recover()
    world.shop.down = set()
    world.finish()
    events = len(world.shop.published)
    for _ in range(8):
        world.run(5)
        assert world.reconciler.follow_up(world.clock.now) == 0
    assert len(world.shop.published) == events
    assert world.reconciler.follow_up_in() is None


def test_after_a_takeover_the_workflows_of_ended_orders_are_checked_too(world: World) -> None:
    world.place(AT_A)
    world.finish()
    world.driver.instances["order-A1"].status = None
    world.driver.stuck.add("order-A1")
    world.run(60)
    world.recover()
    world.reconciler.follow_up(world.clock.now)
    assert world.driver.instances["order-A1"].status is None
    world.reconciler.take_over()
    world.recover()
    world.reconciler.follow_up(world.clock.now)
    assert world.driver.instances["order-A1"].status is not None


def test_an_order_is_checked_in_time_although_the_clock_was_set_back(world: World) -> None:
    order = world.order(world.place(AT_A))
    checked: list[str] = []
    recovery = StuckWorkflowRecovery(lambda order: bool(checked.append(order.id)))
    recovery.begin_scan(world.clock.now)
    recovery.check(order, world.clock.now)
    world.clock.advance(-3600)
    recovery.begin_scan(world.clock.now)
    recovery.check(order, world.clock.now)
    assert checked == ["A1", "A1"]
