"""What a crash leaves between two writes is found and finished."""

import threading
import time

from services.common.sidecar import TransientError
from services.orderprocessing import reconciler
from services.orderprocessing.states import OrderStatus
from tests.driver import crash
from tests.unit.orderprocessing.balance import check_over
from tests.unit.orderprocessing.world import AT_A, MISSING, World

BODY = {"id": "A1", "customerId": "1234", "items": [AT_A]}


def test_an_order_whose_workflow_never_started_is_started_once_it_is_not_young(world: World) -> None:
    world.points.at("engine", crash)
    world.place(AT_A)
    world.run(14)
    assert world.mend() == 0
    world.run(2)
    assert world.mend() == 1
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


def test_an_order_that_is_under_way_is_left_alone(world: World) -> None:
    world.place(AT_A)
    world.run(3600)
    rung = len(world.driver.instances["order-A1"].history)
    assert world.mend() == 0
    world.run()
    assert len(world.driver.instances["order-A1"].history) == rung


def test_a_decision_whose_bell_was_never_rung_is_heard(world: World) -> None:
    world.place(AT_A)
    world.run()
    world.driver.reachable = False
    assert world.cancel() == 202
    world.driver.reachable = True
    world.run(16)
    assert world.mend() == 1
    world.run()
    assert world.order().status == OrderStatus.CANCELLED
    check_over(world)


def test_while_the_engine_is_down_mending_waits(world: World) -> None:
    world.driver.reachable = False
    world.place(AT_A)
    world.run(3600)
    world.mend()
    world.driver.reachable = True
    assert world.mend() == 1
    assert world.finish().status == OrderStatus.COMPLETED


def test_an_order_whose_deadline_passed_unheard_is_revived(world: World) -> None:
    world.place(AT_A, MISSING)
    world.run()
    world.driver.instances.clear()  # the engine has lost everything
    world.run(30 + 14)
    assert world.mend() == 0
    world.run(2)
    assert world.mend() == 1
    assert world.finish().status == OrderStatus.TIMED_OUT
    check_over(world)


def test_a_line_without_an_order_goes_after_five_minutes_and_not_before(world: World) -> None:
    world.points.at("before write order", crash)
    assert world.send("POST", "/orders", BODY).status_code == 503
    assert world.send("GET", "/orders").get_json() == []
    assert world.orders.orders.open_count() == 1
    world.run(299)
    assert world.mend() == 0
    world.run(2)
    assert [world.mend(), world.mend()] == [0, 1]  # it must have pointed nowhere the last time too
    assert world.orders.orders.open_count() == 0
    assert world.send("GET", "/orders").get_json() == []
    assert world.send("GET", "/orders?status=pending").get_json() == []
    assert world.send("GET", "/orders?customerId=1234").get_json() == []


def test_an_order_whose_line_was_dropped_may_be_sent_again_and_is_listed(world: World) -> None:
    world.points.at("before write order", crash)
    world.send("POST", "/orders", BODY)
    world.run(301)
    assert [world.mend(), world.mend()] == [0, 1]
    assert world.send("POST", "/orders", BODY).status_code == 202
    assert [line["id"] for line in world.send("GET", "/orders").get_json()] == ["A1"]
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


def test_a_line_tells_of_the_order_that_was_accepted_and_not_of_one_that_was_not(world: World) -> None:
    world.points.at("before write order", crash)
    world.send("POST", "/orders", BODY | {"customerId": "somebody else"})
    assert world.send("POST", "/orders", BODY).status_code == 202
    assert [line["customerId"] for line in world.send("GET", "/orders").get_json()] == ["1234"]


def test_nobody_is_shown_an_order_of_somebody_else_whose_id_they_tried_first(world: World) -> None:
    world.points.at("before write order", crash)
    world.send("POST", "/orders", BODY | {"customerId": "Sam"})
    world.send("POST", "/orders", BODY)
    assert world.send("GET", "/orders?customerId=Sam").get_json() == []


def test_a_line_without_a_shipment_goes_after_five_minutes(world: World) -> None:
    world.place(AT_A)
    world.points.at("after write shipments", crash, nth=(2,))
    world.run()
    world.cancel()  # before booking is tried again
    world.finish()
    assert world.orders.shipments.open_count() == 1
    world.run(301)
    assert [world.mend(), world.mend()] == [0, 1]
    assert world.orders.shipments.open_count() == 0
    assert world.send("GET", "/shipments").get_json() == []
    check_over(world)


def test_many_open_orders_are_all_looked_at(world: World) -> None:
    world.driver.reachable = False
    ids = [world.place("milk", order_id=f"M{number}") for number in range(230)]
    world.driver.reachable = True
    world.run(16)
    assert world.mend() == len(ids)
    world.run()
    assert world.mend() == 0


class Reconciling:
    """A reconciler that fails in both ways before it works."""

    def __init__(self) -> None:
        self.runs = 0
        self.worked = threading.Event()

    def run_once(self, now: object) -> int:
        self.runs += 1
        if self.runs == 1:
            raise TransientError("not yet")
        if self.runs == 2:
            raise ValueError("a fault of its own")
        self.worked.set()
        return 0


def test_in_the_background_it_goes_on_after_errors_until_it_is_stopped() -> None:
    stop, one = threading.Event(), Reconciling()
    thread = reconciler.run_in_background(one, 0.001, stop)
    assert one.worked.wait(5)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    runs, deadline = one.runs, time.monotonic() + 0.02
    while time.monotonic() < deadline:
        assert one.runs == runs
