"""Groups of scenarios: the scenarios of a group run at the same time, the groups one after the other.

A scenario is a function with a customer of its own. A switch, such as a maintenance mode, affects all scenarios, so
those that need one form a group.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from launcher.system.stack import Stack
from tests.e2e.client import Shop
from tests.e2e.shopper import Shopper

ScenarioFunction = Callable[[Shopper], None]
_AT_ONCE = 16


@dataclass(frozen=True)
class System:
    """A running system: its client and its processes."""

    shop: Shop
    stack: Stack


Switch = Callable[[System], AbstractContextManager[None]]


@contextmanager
def no_switch(_system: System) -> Iterator[None]:
    """Change nothing."""
    yield


@dataclass(frozen=True)
class Scenario:
    """A scenario and its group."""

    function: ScenarioFunction
    group: "Group"

    @property
    def name(self) -> str:
        """The name of the scenario, a sentence."""
        return self.function.__name__


class Group:
    """Scenarios that run at the same time while a switch is on."""

    def __init__(self, switch: Switch = no_switch) -> None:
        self.switch = switch
        self.scenarios: list[Scenario] = []
        self.last: list[Scenario] = []

    def scenario(self, function: ScenarioFunction) -> ScenarioFunction:
        """Add a scenario."""
        self.scenarios.append(Scenario(function, self))
        return function

    def last_scenario(self, function: ScenarioFunction) -> ScenarioFunction:
        """Add a scenario that runs after the others and may turn the switch off."""
        self.last.append(Scenario(function, self))
        return function


@dataclass(frozen=True)
class ScenarioResult:
    """The result of a scenario: its customer, and its error or None."""

    shopper: Shopper
    error: BaseException | None


class ScenarioRunner:
    """Runs each group once, when the first of its scenarios is requested."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._results: dict[Scenario, ScenarioResult] = {}
        self._failed: dict[int, BaseException] = {}

    def __call__(self, scenario: Scenario) -> Shopper:
        """Return the customer of a scenario after it ran. Raises the error of the scenario."""
        if id(scenario.group) in self._failed:
            raise self._failed[id(scenario.group)]
        if scenario not in self._results:
            self._run(scenario.group)
        result = self._results[scenario]
        if result.error is not None:
            raise result.error
        return result.shopper

    def _run(self, group: Group) -> None:
        try:
            with group.switch(self._system), ThreadPoolExecutor(_AT_ONCE, "scenario") as pool:
                for scenarios in (group.scenarios, group.last):
                    running = {scenario: self._start(pool, scenario) for scenario in scenarios}
                    self._results |= {
                        scenario: ScenarioResult(shopper, future.exception())
                        for scenario, (shopper, future) in running.items()
                    }
        except BaseException as error:
            self._failed[id(group)] = error
            raise

    def _start(self, pool: ThreadPoolExecutor, scenario: Scenario) -> tuple[Shopper, Future[None]]:
        shopper = Shopper(self._system.shop)
        return shopper, pool.submit(scenario.function, shopper)
