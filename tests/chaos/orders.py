"""What the robots remember of their orders: what was sent, what was answered, and when."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from threading import Lock

from tests.chaos.calls import Answer
from tests.chaos.kinds import Kind
from tests.e2e.client import Json


@dataclass
class Tracked:
    """One order as its people know it; times by the wall clock, and no id until it is told where the shop makes it."""

    id: str
    kind: Kind
    body: Json
    chance: Random
    headers: dict[str, str] = field(default_factory=dict)
    sent_at: float = field(default_factory=time.time)
    accepted_at: float | None = None
    status: str = "unknown"
    final: bool = False
    said: dict[str, Answer] = field(default_factory=dict)
    reacted: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def first(self, event: str) -> bool:
        """Tell whether this is the first reaction to an event; to be asked by one thread only."""
        if event in self.reacted:
            return False
        self.reacted.add(event)
        return True


class Register:
    """The orders of a round. Threads may share it."""

    def __init__(self) -> None:
        self._orders: dict[str, Tracked] = {}
        self._guard = Lock()

    def add(self, order: Tracked) -> None:
        """Add an order, before it is sent."""
        with self._guard:
            self._orders[order.id] = order

    def find(self, order_id: str) -> Tracked | None:
        """Return an order, None when it is not of this round."""
        with self._guard:
            return self._orders.get(order_id)

    def all(self) -> list[Tracked]:
        """Return every order of the round, oldest first."""
        with self._guard:
            return list(self._orders.values())

    def accepted(self) -> list[Tracked]:
        """Return the orders that were answered 202."""
        return [order for order in self.all() if order.accepted_at is not None]

    def open(self) -> list[Tracked]:
        """Return the orders that were accepted and have not been seen final."""
        return [order for order in self.accepted() if not order.final]

    def saw(self, lines: Iterable[Json], final: Iterable[str]) -> None:
        """Note the statuses of a list of orders."""
        ends = set(final)
        for line in lines:
            order = self.find(line["id"])
            if order is not None:
                order.status, order.final = line["status"], line["status"] in ends
