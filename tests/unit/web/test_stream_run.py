import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest

from services.load_generator.run import Pace, Run
from services.load_generator.scenarios import Mix
from services.load_generator.settings import StreamSettings
from services.web.clients.backend import Backend
from tests.unit.orderprocessing.polling import eventually, throughout
from tests.unit.web.fake_orders import GOODS, FakeOrders

QUICK: dict[str, float] = {"dispatch_after": 0, "deliver_after": 0, "change_mind": 0}
HASTE: dict[str, Any] = {"again": 0.01, "look": 0.02, "patience": 0.05, "tick": 0.01}


@contextmanager
def running(orders: FakeOrders, pace: Pace | None = None, feed: bool = True, **settings: float) -> Iterator[Run]:
    """Run a stream of a hundred orders, whose robots hear the feed or not."""
    wanted = StreamSettings(**{"rate": 20, "duration": 5} | QUICK | settings)
    run = Run("r", wanted, Mix(wanted, GOODS, Random(7)), Backend(orders), pace or Pace(**HASTE))
    if feed:
        orders.listen = run.heard
    # The schedule lies in the past, so that a test need not wait for it.
    run._schedule.began -= wanted.duration
    run.start()
    try:
        yield run
    finally:
        run.end()


def count_of(run: Run, name: str) -> int:
    return run.summary()[name]


def test_every_order_of_a_stream_is_sent_once_by_its_own_id_and_completed() -> None:
    orders = FakeOrders()
    with running(orders, cancel=0, amend=100) as run:
        eventually(lambda: run.over)
    assert sorted(orders.posts) == sorted(f"s-r-{number}" for number in range(1, 101))
    assert set(orders.statuses()) == {"completed"}
    summary = run.summary()
    assert (summary["state"], summary["sent"], summary["accepted"], summary["open"]) == ("over", 100, 100, 0)
    assert (summary["completed"], summary["failed"], summary["refused"]) == (100, 0, {})
    assert {order["customerId"].partition("-")[0] for order in orders.orders.values()} == {"stream"}


def test_customers_and_approvers_decide_by_the_shares() -> None:
    orders = FakeOrders()
    shares = {"missing": 100, "dear": 100, "amend": 50, "cancel": 50, "approve": 50, "reject": 50}
    with running(orders, **shares) as run:
        eventually(lambda: run.over)
    assert {decision for _, decision in orders.decisions} == {"amend", "cancel", "approve", "reject"}
    assert len(orders.decisions) == len(set(orders.decisions))
    assert count_of(run, "completed") + count_of(run, "cancelled") == 100
    assert count_of(run, "completed") < 50


def test_a_customer_may_change_his_mind_and_is_not_offended_when_it_is_too_late() -> None:
    orders = FakeOrders()
    with running(orders, missing=0, dear=0, change_mind=100, rate=1) as run:
        eventually(lambda: run.over)
    assert [decision for _, decision in orders.decisions] == ["cancel"] * len(orders.decisions)
    assert count_of(run, "completed") + count_of(run, "cancelled") == 5


def test_the_silent_leave_their_orders_open_until_the_time_is_over() -> None:
    orders = FakeOrders()
    silence = {"missing": 100, "amend": 0, "cancel": 0, "silent": 100}
    with running(orders, pace=Pace(settle=1.0, **HASTE), **silence) as run:
        eventually(lambda: run.over)
    assert orders.decisions == []
    assert (count_of(run, "open"), run.summary()["state"]) == (100, "over")


def test_a_run_goes_on_while_orders_still_end_but_not_for_ever() -> None:
    orders, silence = FakeOrders(), {"missing": 100, "amend": 0, "cancel": 0, "silent": 100}
    with running(orders, pace=Pace(settle=0.3, **HASTE), **silence) as run:
        eventually(lambda: count_of(run, "accepted") == 100)
        for number in range(1, 9):
            throughout(0.1, lambda: not run.over)
            run.heard({"orderId": f"s-r-{number}", "type": "order.completed"})
        eventually(lambda: run.over)
    with running(FakeOrders(), pace=Pace(settle=60, longest=0.2, **HASTE), **silence) as run:
        eventually(lambda: run.over)


def test_an_order_whose_answer_was_lost_is_sent_again_as_the_same_order() -> None:
    orders = FakeOrders()
    orders.loses_answers = 30
    with running(orders, cancel=0, amend=100) as run:
        eventually(lambda: run.over)
    assert len(orders.posts) == 130
    assert len(orders.orders) == count_of(run, "accepted") == count_of(run, "completed") == 100


def test_while_nobody_answers_orders_are_sent_late_and_none_is_lost() -> None:
    orders = FakeOrders()
    orders.fails = lambda method, _path: True
    with running(orders, cancel=0, amend=100) as run:
        eventually(lambda: count_of(run, "sent") == 16)
        throughout(0.1, lambda: run.summary()["state"] == "sending" and count_of(run, "sent") == 16)
        assert count_of(run, "late") >= 4
        late, rate = count_of(run, "late"), run.summary()["rate"]
        eventually(lambda: count_of(run, "late") > late and run.summary()["rate"] < rate)
        orders.fails = lambda method, _path: False
        eventually(lambda: run.over)
    assert (count_of(run, "completed"), count_of(run, "sent")) == (100, 100)


def test_orders_that_are_turned_down_are_counted_by_status() -> None:
    orders = FakeOrders()
    orders.turns_down = 422
    with running(orders) as run:
        eventually(lambda: run.over)
    assert run.summary()["refused"] == {"422": 100}
    assert (count_of(run, "open"), count_of(run, "accepted")) == (0, 0)


def test_where_the_feed_tells_nothing_the_robots_see_what_is_due() -> None:
    orders = FakeOrders()
    with running(orders, feed=False, missing=50, dear=50, cancel=0, amend=100) as run:
        eventually(lambda: run.over)
    assert count_of(run, "completed") == 100
    assert len(orders.decisions) == len(set(orders.decisions))


def test_a_decision_without_an_answer_is_made_again() -> None:
    orders, failed = FakeOrders(), set[str]()

    def fails(method: str, path: str) -> bool:
        first = method == "POST" and path not in failed
        failed.add(path)
        return first

    orders.fails = fails
    with running(orders, missing=50, cancel=0, amend=100) as run:
        eventually(lambda: count_of(run, "completed") == 100)


def test_a_stopped_stream_sends_no_more_and_lets_the_rest_run_out() -> None:
    orders = FakeOrders()
    wanted = StreamSettings(**{"rate": 20, "duration": 600} | QUICK, cancel=0, amend=100)
    run = Run("r", wanted, Mix(wanted, GOODS, Random(7)), Backend(orders), Pace(**HASTE))
    orders.listen = run.heard
    began = time.monotonic()
    run.start()
    eventually(lambda: count_of(run, "sent") >= 3)
    assert time.monotonic() - began > 0.09
    run.stop()
    eventually(lambda: run.over)
    sent = count_of(run, "sent")
    assert sent == count_of(run, "completed") < 40
    assert run.summary()["stopped"]


def test_a_stopped_stream_is_not_late() -> None:
    orders = FakeOrders()
    orders.fails = lambda _method, _path: True
    with running(orders) as run:
        eventually(lambda: count_of(run, "sent") == 16)
        run.stop()
        assert run._overdue() == 0


def test_a_stream_ends_by_itself_even_when_nothing_ever_answers() -> None:
    orders = FakeOrders()
    orders.fails = lambda _method, _path: True
    with running(orders, pace=Pace(settle=0.3, **HASTE)) as run:
        eventually(lambda: run.over)
    eventually(lambda: not any(sender.is_alive() for sender in run._senders))


@pytest.mark.parametrize("event", [{}, {"type": "order.received"}, {"type": "shipment.booked", "orderId": "web-1"}])
def test_events_of_other_orders_are_none_of_the_robots_business(event: dict[str, Any]) -> None:
    orders = FakeOrders()
    with running(orders) as run:
        run.heard(event)
        eventually(lambda: run.over)
