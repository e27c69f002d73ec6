"""Each story runs while the clock of the whole system jumps by an hour: forward, back, or forward and then back.

Services and engine share one clock, as on one machine. Timers fire when the clock reaches their time.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest

from tests.unit.orderprocessing.balance import check_over
from tests.unit.orderprocessing.stories import STORIES, Story
from tests.unit.orderprocessing.world import AT_A, World

HOUR = 3600.0
TIMEOUT = 6.0
"""Seconds for the customer's decision, for a charge, and for a booking."""
LONGEST_STORY = 3 * TIMEOUT + 60
"""Seconds: every timeout once, and time for recovery."""
MAX_TRIES = 16
"""Of one activity, for two fulfillments: an unavailable service is called about every two seconds until the timeout."""
STRIDE = 61
"""One point in so many is tested, another one for each kind of jump. STRIDE = 1 tests all of them in some minutes."""


@dataclass(frozen=True)
class Jump:
    """Seconds by which the clock jumps at a point of the story, and how many points later it jumps back."""

    seconds: float
    back_after: int | None = None


JUMPS = {
    "forward": Jump(HOUR),
    "back": Jump(-HOUR),
    "forward and back at the next point": Jump(HOUR, back_after=1),
    "forward and back some points later": Jump(HOUR, back_after=7),
}


@pytest.fixture(autouse=True)
def untraced() -> Iterator[None]:
    """Disable tracing for coverage, which would nearly double the time and find no more lines than other tests."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


def start(story: Story) -> World:
    world = World(charge_timeout=TIMEOUT, booking_timeout=TIMEOUT, order_action_timeout=TIMEOUT)
    story.place(world)
    return world


@cache
def points_of(story: Story) -> int:
    """Return how many points the undisturbed story passes."""
    world = start(story)
    before = len(world.points.passed)
    story.go_on(world)
    return len(world.points.passed) - before


def play(story: Story, number: int, jump: Jump) -> None:
    """Play the story with the jump at the point with this number, and check its outcome."""
    world = start(story)
    jumped: list[float] = []

    def move(seconds: float) -> None:
        jumped.append(seconds)
        world.clock.advance(seconds)

    began = world.clock.now
    world.points.at_number(number, lambda: move(jump.seconds))
    if jump.back_after:
        world.points.at_number(number + jump.back_after, lambda: move(-jump.seconds))
    story.go_on(world)
    waited = (world.clock.now - began).total_seconds() - sum(jumped)
    assert jumped
    assert waited <= HOUR + LONGEST_STORY
    for activity in world.driver.activities:
        assert world.driver.asked.count(activity) <= MAX_TRIES, activity
    check_over(world)


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("name", STORIES)
def test_an_order_ends_and_balances_when_the_clock_jumps_at_any_point(name: str, jump: str) -> None:
    story = STORIES[name]
    numbers = range(1 + 4 * list(JUMPS).index(jump), points_of(story) + 1, STRIDE)
    assert numbers
    for number in numbers:
        try:
            play(story, number, JUMPS[jump])
        except AssertionError as error:
            raise AssertionError(f"the clock jumped at point {number}") from error


@pytest.mark.parametrize(("service", "activity"), [("billing", "charge"), ("shipping", "book")])
@pytest.mark.parametrize("jump", [-60.0, 60.0])
def test_a_clock_that_jumps_during_a_call_does_not_change_how_long_an_unavailable_service_is_called(
    service: str, activity: str, jump: float
) -> None:
    world = World(charge_timeout=TIMEOUT, booking_timeout=TIMEOUT)
    world.shop.down = {service}
    world.points.at(f"before {activity}", lambda: world.clock.advance(jump), nth=(2,))
    world.place(AT_A)
    for _ in range(2):
        world.run(2 * TIMEOUT)
    assert 2 <= world.driver.asked.count(activity) <= MAX_TRIES // 2
    world.shop.down = set()
    world.finish()
    check_over(world)
