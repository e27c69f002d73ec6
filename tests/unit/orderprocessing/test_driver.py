"""The driver itself: it must catch what the engine would not forgive."""

import itertools
from typing import Any

import pytest

from services.orderprocessing.workflows.contracts import ORDER_WORKFLOW
from tests.driver import Driver
from tests.fakes import FakeClock
from tests.points import Points, crash


def driver_of(workflow: Any) -> Driver:
    """Return a driver with two activities that runs this in place of the order workflow."""
    driver = Driver(FakeClock(), Points())
    driver._registry.orchestrators[ORDER_WORKFLOW] = workflow

    def even(_ctx: Any, payload: dict[str, Any]) -> dict[str, Any]:
        return payload

    def odd(_ctx: Any, payload: dict[str, Any]) -> dict[str, Any]:
        return payload

    driver.use([even, odd])
    driver.start("A1")
    return driver


def test_a_workflow_that_calls_something_else_when_it_is_replayed_fails() -> None:
    runs = itertools.count()

    def forgetful(ctx: Any, _payload: object) -> Any:
        name = "odd" if next(runs) % 2 else "even"
        yield ctx.call_activity(name, input={})
        return {}

    with pytest.raises(AssertionError, match="NonDeterminismError"):
        driver_of(forgetful).run()


def test_a_workflow_that_asks_with_other_words_when_it_is_replayed_is_found() -> None:
    runs = itertools.count()

    def wavering(ctx: Any, _payload: object) -> Any:
        yield ctx.call_activity("even", input={"run": next(runs)})
        return {}

    driver = driver_of(wavering)
    driver.run()
    with pytest.raises(AssertionError, match="replays to something else"):
        driver.check_replay()


def test_an_event_that_comes_before_it_is_waited_for_is_kept_and_one_that_never_comes_times_out() -> None:
    seen: list[str] = []

    def waiting(ctx: Any, _payload: object) -> Any:
        yield ctx.call_activity("even", input={})
        yield ctx.wait_for_external_event("wake-up")
        try:
            yield ctx.wait_for_external_event("wake-up", timeout=ctx.current_utc_datetime.replace(year=2027))
        except TimeoutError:
            seen.append("nobody rang")
        return {"seen": seen}

    driver = driver_of(waiting)
    driver.signal(["order-A1"])
    driver.run()
    assert seen == []
    assert driver.jump()
    assert seen == ["nobody rang"]
    assert driver.clock.now.year == 2027
    assert driver.is_over("A1")


def test_an_activity_that_fails_other_than_for_now_fails_the_test() -> None:
    def calling(ctx: Any, _payload: object) -> Any:
        yield ctx.call_activity("even", input={})
        return {}

    driver = driver_of(calling)
    driver.activities["even"] = lambda _ctx, _payload: {}[1]
    with pytest.raises(KeyError):
        driver.run()


def test_an_activity_that_fails_for_now_without_a_policy_fails_its_workflow() -> None:
    def calling(ctx: Any, _payload: object) -> Any:
        yield ctx.call_activity("even", input={})
        return {}

    driver = driver_of(calling)
    driver.points.at("before even", crash)
    with pytest.raises(AssertionError, match="order-A1 failed"):
        driver.run()
