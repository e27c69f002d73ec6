"""Each story is disturbed at every single point that it passes: cancelled, crashed, restarted, run twice."""

import sys
from collections.abc import Callable, Iterator

import pytest

from services.common.dapr.sidecar import TransientError
from tests.points import crash
from tests.unit.orderprocessing.balance import check_over
from tests.unit.orderprocessing.stories import STORIES, Story
from tests.unit.orderprocessing.world import World

Disturbance = Callable[[World], object]


@pytest.fixture(autouse=True)
def untraced() -> Iterator[None]:
    """Hundreds of worlds, and no line that other tests do not run too: traced, it takes nearly twice as long."""
    # The marker no_cover of pytest-cov does nothing in the processes of pytest-xdist.
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


def play(story: Story, number: int, disturb: Disturbance) -> tuple[World, str | None]:
    """Play the story, disturbed at the point with this number; return the point's name too, None if it has none."""
    world = World(booking_timeout=1)
    story.place(world)
    reached: list[str] = []

    def here() -> None:
        reached.append(world.points.passed[-1])
        disturb(world)

    world.points.at_number(number, here)
    story.go_on(world)
    return world, reached[0] if reached else None


def every_point(story: Story, disturb: Disturbance, only: str = "") -> int:
    """Play the story once for each of its points whose name begins so; return how many those were."""
    quiet = World(booking_timeout=1)
    story.place(quiet)
    before = len(quiet.points.passed)
    story.go_on(quiet)
    numbers = [n for n, point in enumerate(quiet.points.passed[before:], 1) if point.startswith(only)]
    for number in numbers:
        world, point = play(story, number, disturb)
        try:
            assert point is not None
            check_over(world)
        except AssertionError as error:
            raise AssertionError(f"disturbed at point {number}, {point}") from error
    return len(numbers)


@pytest.mark.parametrize("name", STORIES)
def test_an_order_cancelled_at_any_point_balances(name: str) -> None:
    answers: set[int] = set()

    def cancel(world: World) -> None:
        # By another replica: this one may be in the middle of a write.
        answers.add(world.elsewhere().post("/orders/A1/action", json={"action": "cancel"}).status_code)

    # Before the next thing is the same as after the last one.
    assert every_point(STORIES[name], cancel, only="after") > 10
    assert answers == {202, 409}


@pytest.mark.parametrize("name", STORIES)
def test_a_process_that_dies_at_any_point_and_comes_back_without_its_memory_goes_on(name: str) -> None:
    def die(world: World) -> None:
        world.restart()
        raise TransientError("the process died")

    assert every_point(STORIES[name], die) > 20


@pytest.mark.parametrize("name", ["cancelled when booked", "one declined"])
def test_a_step_that_fails_at_any_point_is_repeated_and_nothing_happens_twice(name: str) -> None:
    assert every_point(STORIES[name], lambda _world: crash()) > 20


@pytest.mark.parametrize("name", ["amended", "one declined"])
def test_spurious_signals_at_any_point_do_no_harm(name: str) -> None:
    def signal_all(world: World) -> None:
        world.driver.signal([*world.driver.instances, *world.driver.instances])

    assert every_point(STORIES[name], signal_all, only="after") > 20


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_as_it_should_when_every_activity_runs_three_times(name: str) -> None:
    world = World()
    STORIES[name].place(world)
    world.driver.runs_of_each_activity = 3
    STORIES[name].go_on(world)
    check_over(world)
    assert world.order().status == STORIES[name].ends


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_story_ends_as_it_should_when_every_activity_fails_twice_first(name: str, when: str) -> None:
    world = World(charge_timeout=300, booking_timeout=300, order_action_timeout=300)
    STORIES[name].place(world)
    for activity in world.driver.activities:
        world.points.at(f"{when} {activity}", crash, nth=(1, 2))
    STORIES[name].go_on(world)
    check_over(world)
    assert world.order().status == STORIES[name].ends


@pytest.mark.parametrize("name", STORIES)
def test_an_undisturbed_story_ends_as_it_should(name: str) -> None:
    world = World()
    STORIES[name].place(world)
    STORIES[name].go_on(world)
    check_over(world)
    assert world.order().status == STORIES[name].ends
