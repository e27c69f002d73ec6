"""Bells: one is enough for all that comes before it is heard, and none is heard before all of it is seen."""

import pytest

from services.common.states import OrderStatus, Reason
from services.orderprocessing.domain.order import Order
from tests.unit.orderprocessing.balance import check_over
from tests.unit.orderprocessing.world import AT_A, AT_B, OUT_OF_STOCK, World

SHIPMENT = "shipment-A1-1"


def signals_sent(world: World, instance: str) -> int:
    given = world.driver.instances[instance]
    return sum(event.HasField("eventRaised") for event in [*given.history, *given.inbox])


def elsewhere(world: World, path: str, **body: str) -> None:
    """Ask another replica: this one may be in the middle of a write."""
    assert world.elsewhere().post(path, json=body).status_code == 202


def elsewhere_reports(world: World, status: str) -> None:
    elsewhere(world, "/shipments/A1:1/status", status=status)


@pytest.fixture
def booked(world: World) -> World:
    world.place(AT_A)
    world.run()
    return world


def test_reports_before_an_acknowledgement_share_one_signal(booked: World) -> None:
    assert [booked.report("dispatched"), booked.report("delivered")] == [202, 202]
    assert signals_sent(booked, SHIPMENT) == 1
    booked.run()
    assert booked.order().status == OrderStatus.COMPLETED
    assert booked.driver.asked.count("follow_courier") == 1
    check_over(booked)


def test_a_report_after_an_acknowledgement_sends_another_signal(booked: World) -> None:
    booked.report("dispatched")
    booked.run()
    booked.report("delivered")
    assert signals_sent(booked, SHIPMENT) == 2
    booked.run()
    assert booked.order().status == OrderStatus.COMPLETED
    check_over(booked)


@pytest.mark.parametrize("point", ["before", "after"])
@pytest.mark.parametrize("what", ["follow_courier", "write order", "inventory reservations", "publish"])
def test_a_report_that_arrives_while_another_is_processed_is_not_missed(booked: World, point: str, what: str) -> None:
    booked.report("dispatched")
    booked.points.at(f"{point} {what}", lambda: elsewhere_reports(booked, "delivered"))
    booked.points.passed.clear()
    booked.run()
    assert booked.order().status == OrderStatus.COMPLETED
    check_over(booked)


def test_a_dispatch_reported_during_a_spurious_signal_commits_the_stock(
    booked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = booked.orders.require

    def read_just_before_the_report(order_id: str) -> Order:
        order = read(order_id)
        monkeypatch.undo()
        elsewhere_reports(booked, "dispatched")
        return order

    monkeypatch.setattr(booked.orders, "require", read_just_before_the_report)
    booked.driver.signal([SHIPMENT])  # as the reconciler does where an order has stood still
    booked.run()
    assert booked.report("delivered") == 202
    booked.run()
    assert booked.order().status == OrderStatus.COMPLETED
    check_over(booked)


def test_a_cancellation_while_the_goods_are_reserved_is_seen_at_once(world: World) -> None:
    world.place(AT_A, OUT_OF_STOCK)
    world.points.at("after inventory reservations", lambda: elsewhere(world, "/orders/A1/action", action="cancel"))
    world.run()
    assert (world.order().status, world.order().reason) == (OrderStatus.CANCELLED, Reason.CUSTOMER_CANCELLED)
    check_over(world)


def test_a_repeated_report_resends_a_lost_signal_and_keeps_its_age(booked: World) -> None:
    booked.driver.reachable = False
    booked.report("dispatched")
    since = booked.order().pending_signals[SHIPMENT]
    booked.driver.reachable = True
    booked.clock.advance(1)
    booked.report("delivered")
    assert booked.order().pending_signals[SHIPMENT] == since
    assert signals_sent(booked, SHIPMENT) == 0
    booked.report("delivered")
    assert signals_sent(booked, SHIPMENT) == 1
    booked.run()
    assert booked.order().status == OrderStatus.COMPLETED
    check_over(booked)


def test_an_order_does_not_end_while_a_lost_signal_is_pending(world: World) -> None:
    world.place(AT_A, AT_B)
    world.run()
    for parcel in ("A1:1", "A1:2"):
        assert world.report("dispatched", parcel) == 202
    world.run()
    world.report("delivered", "A1:2")
    world.driver.reachable = False
    world.report("delivered", "A1:1")
    world.driver.reachable = True
    world.run()
    assert world.order().status == OrderStatus.PROCESSING
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)
