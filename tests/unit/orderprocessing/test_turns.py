"""How long an order waits for its turn: estimated by the length of the queue and the speed at which it is served."""

from datetime import UTC, datetime, timedelta

import pytest

from services.orderprocessing.recovery.queue_delay import QueueDelayEstimate
from tests.unit.orderprocessing.world import AT_A, World

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def after_two_rounds(waiting: int, steps: int, seconds: float) -> QueueDelayEstimate:
    done = 0
    turns = QueueDelayEstimate(lambda: done)
    turns.end_round(NOW)
    for _ in range(waiting):
        turns.count()
    done = steps
    turns.end_round(NOW + timedelta(seconds=seconds))
    return turns


@pytest.mark.parametrize(
    ("waiting", "steps", "expected"),
    [(1000, 250, 80), (50, 1, 0), (1000, 0, 0), (100_000, 1, 600)],
    ids=["a queue", "few orders", "nothing moves", "never for ever"],
)
def test_the_wait_is_twice_what_the_queue_takes(waiting: int, steps: int, expected: float) -> None:
    assert after_two_rounds(waiting, steps, seconds=10).wait() == timedelta(seconds=expected)


def test_the_first_round_knows_of_no_queue() -> None:
    turns = QueueDelayEstimate(lambda: 1_000_000)
    for _ in range(1000):
        turns.count()
    turns.end_round(NOW)
    assert turns.wait() == timedelta()


def test_a_queue_that_is_gone_is_waited_for_no_more() -> None:
    turns = after_two_rounds(1000, 250, seconds=10)
    turns.end_round(NOW + timedelta(seconds=20))
    assert turns.wait() == timedelta()


def test_orders_that_wait_for_their_turn_are_not_told_again() -> None:
    world = World()
    steps = 0
    world.restart(steps=lambda: steps)
    world.driver.reachable = False
    for number in range(60):
        world.place(AT_A, order_id=f"A{number}")
    world.driver.reachable = True
    assert world.recover() == 0
    world.clock.advance(4)
    steps = 8
    assert world.recover() == 0  # too young; from now on it is known that sixty wait, and two are served a second
    world.clock.advance(10)
    steps = 28
    assert world.recover() == 0
    world.clock.advance(50)
    assert world.recover() == 60  # nothing was served meanwhile
