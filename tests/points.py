"""Execution points of a scenario, at which a test can run an action or crash the process."""

from collections.abc import Callable, Collection

from services.common.dapr.sidecar import TransientError


class Points:
    """Records the execution points of a scenario in order, and runs the actions that a test has set for them."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self._acts: list[tuple[Callable[[int, str, int], bool], Callable[[], object]]] = []
        self._acting = False

    def reach(self, name: str) -> None:
        """Record an execution point and run the actions that are set for it."""
        if self._acting:
            return
        self.passed.append(name)
        number, nth = len(self.passed), self.passed.count(name)
        for matches, act in self._acts:
            if matches(number, name, nth):
                self._acting = True
                try:
                    act()
                finally:
                    self._acting = False

    def at(self, name: str, act: Callable[[], object], nth: Collection[int] = (1,)) -> None:
        """Run the action at the given occurrences of the point `name`."""
        self._acts.append((lambda _number, here, count: here == name and count in nth, act))

    def at_each(self, act: Callable[[], object]) -> None:
        """Run the action at every point."""
        self._acts.append((lambda _number, _here, _count: True, act))

    def at_number(self, number: int, act: Callable[[], object]) -> None:
        """Run the action at the point with this number, counted from 1 from now on."""
        start = len(self.passed)
        self._acts.append((lambda here, _name, _count: here == start + number, act))


def crash() -> None:
    """Simulate a crash of the process at this point; the caller retries."""
    raise TransientError("crashed here")
