"""The places that a story passes, at which a test may act, or have the process die."""

from collections.abc import Callable, Collection

from services.common.dapr.sidecar import TransientError


class Points:
    """The places that a story passes, in order; a test may act at each of them, or crash there."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self._acts: list[tuple[Callable[[int, str, int], bool], Callable[[], object]]] = []
        self._acting = False

    def reach(self, name: str) -> None:
        """Note that the story comes by, and do what a test wants done here."""
        if self._acting:
            return
        self.passed.append(name)
        number, nth = len(self.passed), self.passed.count(name)
        for wanted, act in self._acts:
            if wanted(number, name, nth):
                self._acting = True
                try:
                    act()
                finally:
                    self._acting = False

    def at(self, name: str, act: Callable[[], object], nth: Collection[int] = (1,)) -> None:
        """Act when the story comes by `name` for these times."""
        self._acts.append((lambda _number, here, count: here == name and count in nth, act))

    def at_each(self, act: Callable[[], object]) -> None:
        """Act wherever the story comes by."""
        self._acts.append((lambda _number, _here, _count: True, act))

    def at_number(self, number: int, act: Callable[[], object]) -> None:
        """Act at the place with this number, counted from 1 now."""
        start = len(self.passed)
        self._acts.append((lambda here, _name, _count: here == start + number, act))


def crash() -> None:
    """Break off what is under way, as a process does that dies there; its caller tries again."""
    raise TransientError("crashed here")
