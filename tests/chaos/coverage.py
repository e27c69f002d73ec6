"""Where the kills fell: which steps of an order's life they found orders in, and how long each order took after them.

A step that an order was in at a moment is the last one of its timeline before it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from tests.chaos.evidence import Evidence

BEING_ACCEPTED = "(POST not answered yet)"
_ASKS = {"order.customerActionRequired", "order.approvalRequired"}


@dataclass
class Coverage:
    """Counts by step: the kills that found an order there, and how many orders they found."""

    kills: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)

    def add(self, evidence: Iterable[Evidence], kills_at: Sequence[float]) -> None:
        """Count a round's kills, given by the wall clock."""
        lives = [_life(one) for one in evidence]
        for at in kills_at:
            found = Counter(step for life in lives if (step := _step_at(life, at)))
            self.kills.update(found.keys())
            self.orders.update(found)


def _life(one: Evidence) -> list[tuple[float, str]]:
    """Return when an order was in which step; its last step is no longer open."""
    steps = [(_seconds(step["at"]), str(step["type"])) for step in one.timeline]
    sent = [(one.tracked.sent_at, BEING_ACCEPTED)] if one.tracked.sent_at < min(steps)[0] else []
    return [*sent, *steps]


def _step_at(life: Sequence[tuple[float, str]], at: float) -> str | None:
    if at >= life[-1][0]:
        return None
    return next((step for since, step in reversed(life) if since <= at), None)


def recovery(one: Evidence, last_start: float, deadline_s: float) -> float:
    """Return how many seconds after the last restart, or after it was received if that is later, an order was final.

    The time in which somebody who was asked deliberately let the deadline pass is not counted; the few moments in
    which people thought about their answer are.
    """
    order = one.order or {}
    if not order.get("completedAt"):
        return 0.0
    begin, end = max(last_start, _seconds(order["receivedAt"])), _seconds(order["completedAt"])
    silence = 0.0
    if one.tracked.kind.silent:
        asked = [_seconds(step["at"]) for step in one.timeline if step["type"] in _ASKS]
        silence = sum(max(min(at + deadline_s, end) - max(at, begin), 0.0) for at in asked)
    return max(end - begin - silence, 0.0)


def standstill(one: Evidence, last_start: float) -> str:
    """Return in a sentence where an order stood longest after the last restart."""
    steps = [(max(at, last_start), step) for at, step in _life(one)]
    gaps = [(after - at, step, then) for (at, step), (after, then) in pairwise(steps)]
    longest, step, then = max(gaps)
    return f"stood at {step} for {longest:.1f} s, then {then}"


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
