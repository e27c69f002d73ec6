"""What a crash leaves between two writes is found and finished."""

from datetime import timedelta

from services.common.clock import moment
from services.common.dapr.sidecar import TransientError
from services.common.records import Entry
from services.common.states import OrderStatus
from tests.points import crash
from tests.unit.orderprocessing.balance import check_over
from tests.unit.orderprocessing.world import AT_A, OUT_OF_STOCK, World

BODY = {"id": "A1", "customerId": "1234", "items": [AT_A]}


def test_a_workflow_that_never_started_is_started_after_the_grace_period(world: World) -> None:
    world.points.at("engine", crash)
    world.place(AT_A)
    world.run(4)
    assert world.recover() == 0
    world.run(2)
    assert world.recover() == 1
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


def test_an_order_in_progress_is_left_alone(world: World) -> None:
    world.place(AT_A)
    world.run(3600)
    rung = len(world.driver.instances["order-A1"].history)
    assert world.recover() == 0
    world.run()
    assert len(world.driver.instances["order-A1"].history) == rung


def test_a_decision_whose_signal_was_never_sent_takes_effect(world: World) -> None:
    world.place(AT_A)
    world.run()
    world.driver.reachable = False
    assert world.cancel() == 202
    world.driver.reachable = True
    world.run(16)
    assert world.recover() == 1
    world.run()
    assert world.order().status == OrderStatus.CANCELLED
    check_over(world)


def test_while_the_engine_is_unavailable_repairs_wait(world: World) -> None:
    world.driver.reachable = False
    world.place(AT_A)
    world.run(3600)
    world.recover()
    world.driver.reachable = True
    assert world.recover() == 1
    assert world.finish().status == OrderStatus.COMPLETED


def test_an_order_with_a_missed_deadline_is_restarted(world: World) -> None:
    world.place(AT_A, OUT_OF_STOCK)
    world.run()
    world.driver.instances.clear()  # the engine has lost everything
    world.run(30 + 9)
    assert world.recover() == 0
    world.run(2)
    assert world.recover() == 1
    assert world.finish().status == OrderStatus.TIMED_OUT
    check_over(world)


def test_an_index_entry_without_an_order_is_dropped_after_five_minutes(world: World) -> None:
    world.points.at("before write order", crash)
    assert world.send("POST", "/orders", BODY).status_code == 503
    assert world.send("GET", "/orders").get_json() == []
    assert world.orders.orders.open_count() == 1
    world.run(299)
    assert world.recover() == 0
    world.run(2)
    assert [world.recover(), world.recover()] == [0, 1]  # it must have pointed nowhere the last time too
    assert world.orders.orders.open_count() == 0
    assert world.send("GET", "/orders").get_json() == []
    assert world.send("GET", "/orders?status=pending").get_json() == []
    assert world.send("GET", "/orders?customerId=1234").get_json() == []


def test_an_order_whose_line_was_dropped_may_be_sent_again_and_is_listed(world: World) -> None:
    world.points.at("before write order", crash)
    world.send("POST", "/orders", BODY)
    world.run(301)
    assert [world.recover(), world.recover()] == [0, 1]
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
    world.finish()
    data = {"status": "pending", "orderId": "A1", "updatedAt": world.orders.now()}
    world.orders._shipment_index.put(Entry(id="A1:7", at=world.orders.now(), open=True, data=data))
    world.run(301)
    assert [world.recover(), world.recover()] == [0, 1]
    assert world.orders.shipments.open_count() == 0
    assert [line["id"] for line in world.send("GET", "/shipments").get_json()] == ["A1:1"]
    check_over(world)


def test_all_of_many_open_orders_are_checked(world: World) -> None:
    world.driver.reachable = False
    ids = [world.place("milk", order_id=f"M{number}") for number in range(230)]
    world.driver.reachable = True
    world.run(16)
    assert world.recover() == len(ids)
    world.run()
    assert world.recover() == 0


def test_a_recent_signal_is_checked_in_the_follow_up(world: World) -> None:
    world.points.at("engine", crash)
    world.place(AT_A)
    assert world.reconciler.follow_up_in() is None
    world.recover()
    seconds = world.reconciler.follow_up_in()
    assert seconds is not None
    world.run(seconds)
    assert world.reconciler.follow_up(world.clock.now) == 1
    assert world.reconciler.follow_up_in() is None
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


def test_a_signal_delayed_by_a_long_queue_is_repeated_less_and_less_often(world: World) -> None:
    world.driver.reachable = False
    world.place(AT_A)
    world.driver.reachable = True
    told = []
    for _ in range(120):
        world.clock.advance(30)  # nothing of it gets its turn
        told.append(world.recover())
    assert told[:4] == [1, 1, 0, 1]
    assert sum(told) <= 11
    world.run()
    assert world.finish().status == OrderStatus.COMPLETED


def test_a_newer_signal_is_sent_at_once(world: World) -> None:
    world.driver.reachable = False
    world.place(AT_A)
    world.driver.reachable = True
    world.clock.advance(6)
    assert (world.recover(), world.recover()) == (1, 0)
    world.driver.reachable = False
    world.cancel()
    world.driver.reachable = True
    world.clock.advance(6)
    assert world.recover() == 1


def test_one_order_that_the_engine_never_takes_does_not_keep_the_others_waiting(world: World) -> None:
    world.driver.reachable = False
    for number in range(9):
        world.place("milk", order_id=f"M{number}")
    world.driver.reachable = True
    world.run(6)
    poisoned = {"M7", "M2"}
    start = world.driver.start

    def start_some(order_id: str) -> None:
        if order_id in poisoned:
            raise TransientError("its history is too long")
        start(order_id)

    world.driver.start = start_some  # type: ignore[method-assign]
    assert world.recover() == 7
    world.run()
    assert {order_id for order_id in (f"M{n}" for n in range(9)) if f"order-{order_id}" in world.driver.instances} == {
        f"M{number}" for number in range(9)
    } - poisoned


def test_an_outdated_index_entry_is_updated(world: World) -> None:
    world.place(AT_A)
    world.run()
    world.documents.fail_writes_of = lambda key: key.startswith("shipments")
    assert world.report("dispatched") == 503
    world.documents.fail_writes_of = lambda _key: False
    world.restart()
    assert [line["status"] for line in world.send("GET", "/shipments").get_json()] == ["booked"]
    world.clock.advance(6)
    assert world.recover() == 2  # the signal was not rung either
    assert [line["status"] for line in world.send("GET", "/shipments").get_json()] == ["dispatched"]
    assert world.recover() == 0
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


def test_an_order_that_changed_since_it_was_read_is_not_restarted(world: World) -> None:
    world.place(AT_A)
    world.run()
    world.driver.reachable = False
    world.report("dispatched")
    world.driver.reachable = True
    world.clock.advance(6)
    stale = world.order()
    world.report("delivered")
    assert not world.reconciler._check_order(stale, world.clock.now)
    assert world.reconciler.follow_up_in() is not None


def test_a_lost_signal_is_sent_although_the_clock_was_set_back(world: World) -> None:
    world.place(AT_A)
    world.run()
    world.driver.reachable = False
    assert world.cancel() == 202
    world.driver.reachable = True
    world.clock.advance(-3600)
    assert world.recover() == 0
    world.run(6)
    assert world.recover() == 1
    world.run()
    assert world.order().status == OrderStatus.CANCELLED
    check_over(world)


def test_an_order_that_made_progress_before_the_clock_was_set_back_is_left_alone_at_first(world: World) -> None:
    world.shop.down = {"billing"}
    world.place(AT_A)
    world.run()
    world.driver.stuck.add("order-A1")
    world.clock.advance(-3600)
    assert world.recover() == 0
    world.run(9)
    assert world.recover() == 0
    world.run(2)
    assert world.recover() == 1


def test_a_deadline_is_at_most_one_timeout_away_when_the_clock_was_set_back(world: World) -> None:
    world.place(AT_A, OUT_OF_STOCK)
    world.run()
    world.clock.advance(-3600)
    assert world.recover() == 0
    world.run(11)
    assert world.recover() == 1
    world.run()
    order = world.order()
    assert order.status == OrderStatus.CUSTOMER_ACTION_REQUIRED
    assert order.deadline is not None
    assert timedelta() < moment(order.deadline) - world.clock.now <= timedelta(seconds=30)
    world.run(31)
    assert world.order().status == OrderStatus.TIMED_OUT
    check_over(world)


def test_a_customer_may_decide_until_the_deadline_that_was_set_again(world: World) -> None:
    world.place(AT_A, OUT_OF_STOCK)
    world.run()
    world.clock.advance(-3600)
    world.recover()
    world.run(11)
    world.recover()
    world.run(20)
    assert world.act("amend") == 202
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


def test_a_restart_is_repeated_in_time_although_the_clock_was_set_back(world: World) -> None:
    world.place(AT_A, OUT_OF_STOCK)
    world.run()
    world.driver.instances.clear()
    world.run(41)
    assert world.recover() == 1
    world.driver.instances.clear()
    world.clock.advance(-3600)
    world.recover()
    world.run(11)
    assert world.recover() == 1
