"""The lines that a person follows on the console: each step of an order once, and what is tried again and when."""

import logging

import pytest

from services.common.dapr.sidecar import TransientError
from services.orderprocessing.adapters import milestones
from services.orderprocessing.workflows.policies import EVERY_ACTIVITY, UNTIL_DONE
from tests.points import crash
from tests.unit.orderprocessing.world import AT_A, AT_BOTH, CUSTOMER, OUT_OF_STOCK, World


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def told(lines: pytest.LogCaptureFixture, order_id: str) -> list[str]:
    return [line.partition(": ")[2] for line in lines.messages if line.startswith(f"order {order_id}: ")]


def test_each_milestone_of_an_order_is_logged_once(world: World, lines: pytest.LogCaptureFixture) -> None:
    order_id = world.place(AT_A)
    world.finish()
    expected = ["received", "reserved", "charged", "booked", "dispatched", "delivered", "completed"]
    assert told(lines, order_id) == expected


def test_a_repeat_after_a_crash_logs_no_milestone_twice(world: World, lines: pytest.LogCaptureFixture) -> None:
    world.points.at("before publish", crash, nth=range(1, 4))
    order_id = world.place(AT_A)
    world.finish()
    found = told(lines, order_id)
    assert len(found) == len(set(found)) == 7


def test_parts_of_an_order_are_told_apart(world: World, lines: pytest.LogCaptureFixture) -> None:
    order_id = world.place(AT_A, "Asics GEL-Kayano")
    world.finish()
    assert {"charged, part 1 of 2", "charged, part 2 of 2"} <= set(told(lines, order_id))


def test_what_ends_badly_says_why(world: World, lines: pytest.LogCaptureFixture) -> None:
    order_id = world.place(OUT_OF_STOCK)
    world.run()
    world.cancel()
    world.finish()
    found = told(lines, order_id)
    assert found[1:3] == ["nothing to reserve", "customer action required (Nothing is in stock: cancel)"]
    assert found[-1] == "cancelled (customer cancelled)"


def test_no_line_names_the_customer(world: World, lines: pytest.LogCaptureFixture) -> None:
    world.place(AT_BOTH)
    world.finish()
    assert not [line for line in lines.messages if CUSTOMER in line]


def test_the_pause_that_is_logged_is_the_policy_of_the_engine() -> None:
    first, longest = UNTIL_DONE.first_retry_interval, UNTIL_DONE.max_retry_interval
    assert longest is not None
    for tries in (1, 2, 3, 7, 8, 100):
        expected = first.total_seconds() * (UNTIL_DONE.backoff_coefficient or 1) ** (tries - 1)
        assert EVERY_ACTIVITY.pause(tries) == min(expected, longest.total_seconds())


def test_a_failed_activity_says_after_which_pause_it_is_tried_again(lines: pytest.LogCaptureFixture) -> None:
    error = TransientError("inventory answered 503")
    for tries in (1, 2, 3):
        milestones.log_retry("reserve", "A1", tries, error)
    assert lines.messages == [
        f"could not reserve stock for order A1 (inventory answered 503); trying again in {pause} s"
        for pause in ("0.5", "1", "2")
    ]


def test_a_failed_booking_is_logged_with_the_longest_pause(lines: pytest.LogCaptureFixture) -> None:
    milestones.log_retried_soon("book", "A1", TransientError("shipping answered 503"))
    expected = "could not book the courier for order A1 (shipping answered 503); trying again within 2 s"
    assert lines.messages == [expected]
