"""Undoing until it is done, and what comes late, twice or never."""

import math
from datetime import timedelta

import pytest
from dapr.ext.workflow import RetryPolicy

from services.common.dapr.sidecar import TransientError
from services.common.records import EntryLocation
from services.common.states import OrderStatus, Reason, ShipmentStatus
from services.orderprocessing.domain import fulfillment_rules
from services.orderprocessing.workflows import contracts
from services.orderprocessing.workflows.policies import UNTIL_DONE
from tests.driver import activity_context
from tests.points import crash
from tests.unit.orderprocessing.balance import check_over
from tests.unit.orderprocessing.world import AT_A, AT_B, World


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("undo", ["cancel_booking", "refund", "release", "close"])
def test_an_undo_that_fails_seven_times_is_tried_until_it_succeeds(world: World, undo: str, when: str) -> None:
    world.place(AT_A, AT_B)
    world.run()
    world.points.at(f"{when} {undo}", crash, nth=range(1, 8))
    world.cancel()
    assert world.finish().status == OrderStatus.CANCELLED
    assert world.driver.asked.count(undo) == 9  # two parcels
    check_over(world)


@pytest.mark.parametrize("undo", ["cancel_booking", "refund", "release", "close"])
def test_an_undo_goes_on_when_the_tries_of_its_policy_are_used_up(
    world: World, undo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = RetryPolicy(first_retry_interval=timedelta(seconds=1), max_number_of_attempts=3)
    monkeypatch.setattr(contracts, "UNTIL_DONE", short)
    world.place(AT_A)
    world.run()
    world.points.at(f"before {undo}", crash, nth=range(1, 8))
    world.cancel()
    assert world.finish().status == OrderStatus.CANCELLED
    assert world.driver.asked.count(undo) == 8
    check_over(world)


def test_the_engine_can_compute_every_pause_of_the_policy() -> None:
    assert math.pow(UNTIL_DONE.backoff_coefficient, UNTIL_DONE.max_number_of_attempts) < math.inf


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("last", ["release_order", "finish"])
def test_giving_the_whole_order_back_is_tried_until_it_succeeds(world: World, last: str, when: str) -> None:
    world.place(AT_A, "Adidas Classic")
    world.run()
    world.points.at(f"{when} {last}", crash, nth=range(1, 8))
    world.cancel()
    assert world.finish().status == OrderStatus.CANCELLED
    assert world.driver.asked.count(last) == 8
    check_over(world)


@pytest.mark.parametrize("place", ["billing refunds", "fraud check", "inventory reservations", "shipping bookings"])
def test_an_undo_whose_service_is_down_for_minutes_is_done_afterwards(world: World, place: str) -> None:
    service = place.partition(" ")[0]
    world.place(AT_A, AT_B)
    world.run()
    world.cancel()
    world.shop.down = {service}
    world.run(240)
    assert world.order().status == OrderStatus.PROCESSING
    world.shop.down = set()
    world.run(11)
    assert world.order().status == OrderStatus.CANCELLED
    check_over(world)


def test_every_activity_that_takes_something_has_an_undo() -> None:
    assert set(contracts.UNDO) == {"reserve", "charge", "book"}


def test_a_booking_that_comes_after_giving_up_is_called_off_and_not_recorded(world: World) -> None:
    world.place(AT_A)
    world.settle("shipping", "shipping/deactivate")
    world.run()
    world.shop.down = {"inventory"}
    world.run(31)  # given up, and the release is being tried
    place, now = EntryLocation(shard=0, page=0), world.orders.now()
    late = world.orders.update("A1", lambda order: fulfillment_rules.booked(order, "A1:1", place, "CR-late", now))
    assert late.fulfillments[0].shipment.status == ShipmentStatus.PENDING
    world.shop.down = set()
    assert world.finish().reason == Reason.SHIPPING_UNAVAILABLE
    check_over(world)


def test_every_activity_may_run_again_long_after_the_order_is_over(world: World) -> None:
    run: list[tuple[str, dict[str, object]]] = []
    world.driver.before_each = lambda name, payload: run.append((name, payload))
    world.settle("fraud", "limit", limit=8000)
    world.place(AT_A, AT_B)
    world.finish()
    for name, payload in run:
        world.driver.activities[name](activity_context(), payload)
    check_over(world)


def test_a_lost_bell_is_rung_by_the_reconciler(world: World) -> None:
    world.place(AT_A)
    world.run()
    world.driver.reachable = False
    assert world.report("dispatched") == 202
    world.driver.reachable = True
    world.run(4)
    assert world.recover() == 0  # it may still be on its way
    world.run(6)
    assert world.recover() == 1
    world.run()
    assert world.recover() == 0
    assert world.order().fulfillments[0].shipment.handed_over


def test_a_bell_that_a_late_duplicate_has_taken_off_is_rung_all_the_same(world: World) -> None:
    last: dict[str, dict[str, object]] = {}
    world.driver.before_each = last.__setitem__
    world.place(AT_A)
    world.run()
    world.report("dispatched")
    world.run()
    world.driver.reachable = False
    assert world.report("delivered") == 202  # and the process dies before it rings
    world.driver.reachable = True
    world.driver.activities["follow_courier"](activity_context(), last["follow_courier"])
    world.run(120)
    world.recover()
    world.run()
    assert world.order().status == OrderStatus.COMPLETED


def test_a_step_for_a_fulfillment_that_does_not_exist_is_an_error(world: World) -> None:
    world.place(AT_A)
    world.run()
    with pytest.raises(LookupError):
        fulfillment_rules.find(world.order(), "A1:9")
    with pytest.raises(LookupError):
        world.driver.activities["refund"](activity_context(), {"orderId": "A2", "fulfillmentId": "A2:1"})
    with pytest.raises(TransientError):
        crash()


def test_a_booking_that_died_before_a_cancellation_leaves_no_line_among_the_pending(world: World) -> None:
    def be_cancelled_and_die() -> None:
        assert world.cancel() == 202
        world.points.at("before write order", crash, nth=[world.points.passed.count("before write order") + 1])

    world.points.at("after shipping bookings", be_cancelled_and_die)
    world.place(AT_A)
    assert world.finish().status == OrderStatus.CANCELLED
    assert world.send("GET", "/shipments/pending").get_json() == []
    [line] = world.send("GET", "/shipments").get_json()
    assert (line["id"], line["status"]) == ("A1:1", "cancelled")
    check_over(world)
