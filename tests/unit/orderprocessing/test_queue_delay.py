"""How long an order waits for its turn: estimated by the length of the queue and the speed at which it is served."""

from datetime import UTC, datetime, timedelta

import pytest

from services.orderprocessing.recovery.queue_delay import QueueDelayEstimate
from tests.unit.orderprocessing.world import AT_A, World

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def after_two_scans(waiting: int, steps: int, seconds: float) -> QueueDelayEstimate:
    done = 0
    estimate = QueueDelayEstimate(lambda: done)
    estimate.update(NOW)
    for _ in range(waiting):
        estimate.count()
    done = steps
    estimate.update(NOW + timedelta(seconds=seconds))
    return estimate


@pytest.mark.parametrize(
    ("waiting", "steps", "expected"),
    [(1000, 250, 80), (50, 1, 0), (1000, 0, 0), (100_000, 1, 600)],
    ids=["a queue", "few orders", "nothing moves", "never for ever"],
)
def test_the_estimated_delay_is_twice_the_duration_of_the_queue(waiting: int, steps: int, expected: float) -> None:
    assert after_two_scans(waiting, steps, seconds=10).delay() == timedelta(seconds=expected)


def test_the_first_scan_estimates_no_delay() -> None:
    estimate = QueueDelayEstimate(lambda: 1_000_000)
    for _ in range(1000):
        estimate.count()
    estimate.update(NOW)
    assert estimate.delay() == timedelta()


def test_an_empty_queue_causes_no_delay() -> None:
    estimate = after_two_scans(1000, 250, seconds=10)
    estimate.update(NOW + timedelta(seconds=20))
    assert estimate.delay() == timedelta()


def test_queued_orders_are_not_signalled_again() -> None:
    world = World()
    steps = 0
    world.restart(completed_steps=lambda: steps)
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
