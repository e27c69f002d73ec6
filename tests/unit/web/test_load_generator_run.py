import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest

from services.load_generator.run import Run, RunLimits
from services.load_generator.scenarios import Scenarios
from services.load_generator.settings import StreamSettings
from services.web.clients.backend import Backend
from tests.unit.orderprocessing.polling import eventually, throughout
from tests.unit.web.fake_orders import GOODS, FakeOrders

QUICK: dict[str, float] = {"dispatch_after": 0, "deliver_after": 0, "change_mind": 0}
FAST: dict[str, Any] = {"retry_after": 0.01, "scan_every": 0.02, "scan_after": 0.05, "check_every": 0.01}


@contextmanager
def running(orders: FakeOrders, limits: RunLimits | None = None, feed: bool = True, **settings: float) -> Iterator[Run]:
    """Run a stream of a hundred orders, whose simulated users receive the feed or not."""
    stream_settings = StreamSettings(**{"rate": 20, "duration": 5} | QUICK | settings)
    run = Run(
        "r", stream_settings, Scenarios(stream_settings, GOODS, Random(7)), Backend(orders), limits or RunLimits(**FAST)
    )
    if feed:
        orders.listen = run.on_event
    # All orders are due at once, so that the test does not wait.
    run._sender.started_at -= stream_settings.duration
    run.start()
    try:
        yield run
    finally:
        run.end()


def count_of(run: Run, name: str) -> int:
    return run.summary()[name]


def test_every_order_is_sent_once_with_its_own_id_and_completed() -> None:
    orders = FakeOrders()
    with running(orders, cancel=0, amend=100) as run:
        eventually(lambda: run.over)
    assert sorted(orders.posts) == sorted(f"s-r-{number}" for number in range(1, 101))
    assert set(orders.statuses()) == {"completed"}
    summary = run.summary()
    assert (summary["state"], summary["sent"], summary["accepted"], summary["open"]) == ("over", 100, 100, 0)
    assert (summary["completed"], summary["failed"], summary["refused"]) == (100, 0, {})
    assert {order["customerId"].partition("-")[0] for order in orders.orders.values()} == {"stream"}


def test_customers_and_approvers_decide_with_the_given_shares() -> None:
    orders = FakeOrders()
    shares = {"out_of_stock": 100, "high_value": 100, "amend": 50, "cancel": 50, "approve": 50, "reject": 50}
    with running(orders, **shares) as run:
        eventually(lambda: run.over)
    assert {decision for _, decision in orders.decisions} == {"amend", "cancel", "approve", "reject"}
    assert len(orders.decisions) == len(set(orders.decisions))
    assert count_of(run, "completed") + count_of(run, "cancelled") == 100
    assert count_of(run, "completed") < 50


def test_customers_may_cancel_without_being_asked_and_accept_a_refusal() -> None:
    orders = FakeOrders()
    with running(orders, out_of_stock=0, high_value=0, change_mind=100, rate=1) as run:
        eventually(lambda: run.over)
    assert [decision for _, decision in orders.decisions] == ["cancel"] * len(orders.decisions)
    assert count_of(run, "completed") + count_of(run, "cancelled") == 5


def test_orders_of_users_who_do_not_answer_stay_open_until_the_timeout() -> None:
    orders = FakeOrders()
    silence = {"out_of_stock": 100, "amend": 0, "cancel": 0, "silent": 100}
    with running(orders, limits=RunLimits(settle_timeout=1.0, **FAST), **silence) as run:
        eventually(lambda: run.over)
    assert orders.decisions == []
    assert (count_of(run, "open"), run.summary()["state"]) == (100, "over")


def test_a_run_continues_while_orders_still_end_but_not_without_limit() -> None:
    orders, silence = FakeOrders(), {"out_of_stock": 100, "amend": 0, "cancel": 0, "silent": 100}
    with running(orders, limits=RunLimits(settle_timeout=0.3, **FAST), **silence) as run:
        eventually(lambda: count_of(run, "accepted") == 100)
        for number in range(1, 9):
            throughout(0.1, lambda: not run.over)
            run.on_event({"orderId": f"s-r-{number}", "type": "order.completed"})
        eventually(lambda: run.over)
    with running(FakeOrders(), limits=RunLimits(settle_timeout=60, max_settling=0.2, **FAST), **silence) as run:
        eventually(lambda: run.over)


def test_an_order_whose_answer_was_lost_is_sent_again_with_the_same_id() -> None:
    orders = FakeOrders()
    orders.loses_answers = 30
    with running(orders, cancel=0, amend=100) as run:
        eventually(lambda: run.over)
    assert len(orders.posts) == 130
    assert len(orders.orders) == count_of(run, "accepted") == count_of(run, "completed") == 100


def test_during_an_outage_orders_are_sent_late_and_none_is_lost() -> None:
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


def test_refused_orders_are_counted_by_status() -> None:
    orders = FakeOrders()
    orders.refuses_with = 422
    with running(orders) as run:
        eventually(lambda: run.over)
    assert run.summary()["refused"] == {"422": 100}
    assert (count_of(run, "open"), count_of(run, "accepted")) == (0, 0)


def test_without_events_the_scan_finds_the_orders_that_wait() -> None:
    orders = FakeOrders()
    with running(orders, feed=False, out_of_stock=50, high_value=50, cancel=0, amend=100) as run:
        eventually(lambda: run.over)
    assert count_of(run, "completed") == 100
    assert len(orders.decisions) == len(set(orders.decisions))


def test_a_decision_without_an_answer_is_repeated() -> None:
    orders, failed = FakeOrders(), set[str]()

    def fails(method: str, path: str) -> bool:
        first = method == "POST" and path not in failed
        failed.add(path)
        return first

    orders.fails = fails
    with running(orders, out_of_stock=50, cancel=0, amend=100) as run:
        eventually(lambda: count_of(run, "completed") == 100)


def test_a_stopped_run_sends_no_more_orders_and_waits_for_the_open_ones() -> None:
    orders = FakeOrders()
    stream_settings = StreamSettings(**{"rate": 20, "duration": 600} | QUICK, cancel=0, amend=100)
    run = Run("r", stream_settings, Scenarios(stream_settings, GOODS, Random(7)), Backend(orders), RunLimits(**FAST))
    orders.listen = run.on_event
    began = time.monotonic()
    run.start()
    eventually(lambda: count_of(run, "sent") >= 3)
    assert time.monotonic() - began > 0.09
    run.stop()
    eventually(lambda: run.over)
    sent = count_of(run, "sent")
    assert sent == count_of(run, "completed") < 40
    assert run.summary()["stopped"]


def test_a_stopped_run_is_not_late() -> None:
    orders = FakeOrders()
    orders.fails = lambda _method, _path: True
    with running(orders) as run:
        eventually(lambda: count_of(run, "sent") == 16)
        run.stop()
        assert run._sender.overdue == 0


def test_a_run_ends_even_if_no_call_ever_succeeds() -> None:
    orders = FakeOrders()
    orders.fails = lambda _method, _path: True
    with running(orders, limits=RunLimits(settle_timeout=0.3, **FAST)) as run:
        eventually(lambda: run.over)
    eventually(lambda: not run._sender.active)


@pytest.mark.parametrize("event", [{}, {"type": "order.received"}, {"type": "shipment.booked", "orderId": "web-1"}])
def test_events_of_other_orders_are_ignored(event: dict[str, Any]) -> None:
    orders = FakeOrders()
    with running(orders) as run:
        run.on_event(event)
        eventually(lambda: run.over)
