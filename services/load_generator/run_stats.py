"""The open orders of one run, and how many orders were sent, accepted and ended."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from services.common.states import OrderStatus, is_final
from services.load_generator.scenarios import Behavior

FINAL = tuple(status.value for status in OrderStatus if is_final(status))
"""The final statuses."""


@dataclass
class StreamOrder:
    """An open order of a run; RunStats guards the mutable fields."""

    id: str
    customer_id: str
    lines: Mapping[str, int]
    behavior: Behavior
    last_change: float = 0.0
    planned: set[str] = field(default_factory=set)
    tasks_in_flight: int = 0


class Totals(NamedTuple):
    """Numbers of orders; `refused` counts the refused requests by HTTP status."""

    sent: int
    accepted: int
    open: int
    ended: Mapping[str, int]
    refused: Mapping[int, int]

    @property
    def refused_count(self) -> int:
        """How many requests were refused."""
        return sum(self.refused.values())


class RunStats:
    """Keeps the open orders, and counts the others. Threads may share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._open: dict[str, StreamOrder] = {}
        self._sent = self._accepted = 0
        self._ended: Counter[str] = Counter()
        self._refused: Counter[int] = Counter()
        self._ended_at = clock()

    def sending(self, order: StreamOrder) -> None:
        """Add an order that is about to be sent for the first time."""
        with self._guard:
            order.last_change = self._clock()
            self._open[order.id] = order
            self._sent += 1

    def accepted(self) -> None:
        """Count an accepted order."""
        with self._guard:
            self._accepted += 1

    def refused(self, order_id: str, status: int) -> None:
        """Count a refused order by the HTTP status of the answer."""
        with self._guard:
            self._refused[status] += 1
            self._open.pop(order_id, None)

    def ended(self, order_id: str, status: str) -> None:
        """Count an order by its final status, once."""
        with self._guard:
            if self._open.pop(order_id, None) is not None:
                self._ended[status] += 1
                self._ended_at = self._clock()

    def since_last_end(self) -> float:
        """Return the seconds since the last order ended."""
        with self._guard:
            return self._clock() - self._ended_at

    def changed(self, order_id: str) -> StreamOrder | None:
        """Note a change of an order and return the order; None for one that is not an open order of the run."""
        with self._guard:
            order = self._open.get(order_id)
            if order is not None:
                order.last_change = self._clock()
            return order

    def plan(self, order: StreamOrder, task: str) -> bool:
        """Note that a task is planned for the order until `done`; return False if it was planned before."""
        with self._guard:
            if task in order.planned:
                return False
            order.planned.add(task)
            order.tasks_in_flight += 1
            return True

    def done(self, order: StreamOrder) -> None:
        """Note that a planned task was done."""
        with self._guard:
            order.tasks_in_flight -= 1
            order.last_change = self._clock()

    def waiting(self, seconds: float) -> list[StreamOrder]:
        """Return the open orders without a change for so many seconds and without a planned task, oldest first."""
        with self._guard:
            before = self._clock() - seconds
            orders = [
                order for order in self._open.values() if order.last_change <= before and not order.tasks_in_flight
            ]
        return sorted(orders, key=lambda order: order.last_change)

    def totals(self) -> Totals:
        """Return the counts."""
        with self._guard:
            ended = {status: self._ended[status] for status in FINAL}
            return Totals(self._sent, self._accepted, len(self._open), ended, dict(self._refused))
