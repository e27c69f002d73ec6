"""The books of one run of the stream: the orders that are open, and how many ended how."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from services.load_generator.scenarios import Person

FINAL = ("completed", "cancelled", "timedOut", "failed")
"""The statuses that nothing follows."""


@dataclass
class StreamOrder:
    """An open order of the stream; what the robots know of it is guarded by the books."""

    id: str
    customer: str
    lines: Mapping[str, int]
    person: Person
    moved: float = 0.0
    planned: set[str] = field(default_factory=set)
    underway: int = 0


class Totals(NamedTuple):
    """Numbers of orders; `refused` are posts that were turned down, by HTTP status."""

    sent: int
    accepted: int
    open: int
    ended: Mapping[str, int]
    refused: Mapping[int, int]

    @property
    def turned_down(self) -> int:
        """How many posts were turned down."""
        return sum(self.refused.values())


class Books:
    """Remembers the orders that are open, and of the others how many there were. Threads may share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._open: dict[str, StreamOrder] = {}
        self._sent = self._accepted = 0
        self._ended: Counter[str] = Counter()
        self._refused: Counter[int] = Counter()
        self._ended_at = clock()

    def begin(self, order: StreamOrder) -> None:
        """Note an order that is about to be sent for the first time."""
        with self._guard:
            order.moved = self._clock()
            self._open[order.id] = order
            self._sent += 1

    def accept(self) -> None:
        """Note that an order was taken."""
        with self._guard:
            self._accepted += 1

    def refuse(self, order_id: str, status: int) -> None:
        """Note that an order was turned down."""
        with self._guard:
            self._refused[status] += 1
            self._open.pop(order_id, None)

    def end(self, order_id: str, status: str) -> None:
        """Note how an order ended; the second time changes nothing."""
        with self._guard:
            if self._open.pop(order_id, None) is not None:
                self._ended[status] += 1
                self._ended_at = self._clock()

    def quiet(self) -> float:
        """Return for how many seconds no order has ended."""
        with self._guard:
            return self._clock() - self._ended_at

    def move(self, order_id: str) -> StreamOrder | None:
        """Note that something was heard or seen of an order; return it if it is an open one of the stream."""
        with self._guard:
            order = self._open.get(order_id)
            if order is not None:
                order.moved = self._clock()
            return order

    def plan(self, order: StreamOrder, deed: str) -> bool:
        """Note that a robot will do this with the order, until it is `done`; False if it was planned before."""
        with self._guard:
            if deed in order.planned:
                return False
            order.planned.add(deed)
            order.underway += 1
            return True

    def done(self, order: StreamOrder) -> None:
        """Note that a robot has done what was planned."""
        with self._guard:
            order.underway -= 1
            order.moved = self._clock()

    def standing(self, seconds: float) -> list[StreamOrder]:
        """Return the open orders that have not moved for so long and that no robot is about to move, longest first."""
        with self._guard:
            before = self._clock() - seconds
            found = [one for one in self._open.values() if one.moved <= before and not one.underway]
        return sorted(found, key=lambda one: one.moved)

    def totals(self) -> Totals:
        """Return the numbers."""
        with self._guard:
            ended = {status: self._ended[status] for status in FINAL}
            return Totals(self._sent, self._accepted, len(self._open), ended, dict(self._refused))
