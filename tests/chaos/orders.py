"""The orders of simulated users: requests, answers and times."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from threading import Lock

from tests.chaos.order_kinds import OrderKind
from tests.chaos.retrying_calls import Answer
from tests.e2e.client import Json


@dataclass
class TrackedOrder:
    """An order as its users know it. Times are wall-clock times. The id is empty until the service assigns it."""

    id: str
    kind: OrderKind
    body: Json
    random: Random
    headers: dict[str, str] = field(default_factory=dict)
    sent_at: float = field(default_factory=time.time)
    accepted_at: float | None = None
    status: str = "unknown"
    final: bool = False
    answers: dict[str, Answer] = field(default_factory=dict)
    reacted: set[str] = field(default_factory=set)
    unexpected_answers: list[str] = field(default_factory=list)

    def first(self, event: str) -> bool:
        """Return whether this is the first reaction to an event. Not thread-safe."""
        if event in self.reacted:
            return False
        self.reacted.add(event)
        return True


class Register:
    """The orders of a round. Thread-safe."""

    def __init__(self) -> None:
        self._orders: dict[str, TrackedOrder] = {}
        self._lock = Lock()

    def add(self, order: TrackedOrder) -> None:
        """Add an order before it is sent."""
        with self._lock:
            self._orders[order.id] = order

    def find(self, order_id: str) -> TrackedOrder | None:
        """Return an order, or None when it is not of this round."""
        with self._lock:
            return self._orders.get(order_id)

    def all(self) -> list[TrackedOrder]:
        """Return every order of the round, oldest first."""
        with self._lock:
            return list(self._orders.values())

    def accepted(self) -> list[TrackedOrder]:
        """Return the orders that were answered 202."""
        return [order for order in self.all() if order.accepted_at is not None]

    def open(self) -> list[TrackedOrder]:
        """Return the accepted orders that are not known to be final."""
        return [order for order in self.accepted() if not order.final]

    def update(self, lines: Iterable[Json], final: Iterable[str]) -> None:
        """Update the statuses of orders."""
        ends = set(final)
        for line in lines:
            order = self.find(line["id"])
            if order is not None:
                order.status, order.final = line["status"], line["status"] in ends
