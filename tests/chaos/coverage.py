"""Coverage of the kills: in which step of their timeline they hit orders, and how long each order took to recover.

The step of an order at a time is the last entry of its timeline before that time.
"""

import math
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
    """Counts by step: the kills that hit orders in this step, and the number of orders hit."""

    kills: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)

    def add(self, evidence: Iterable[Evidence], kills_at: Sequence[float]) -> None:
        """Count the kills of a round, given as wall-clock times."""
        lives = [_life(one) for one in evidence]
        for at in kills_at:
            found = Counter(step for life in lives if (step := _step_at(life, at)))
            self.kills.update(found.keys())
            self.orders.update(found)


def _life(one: Evidence) -> list[tuple[float, str]]:
    """Return the start time of each step of an order. The last step is final."""
    steps = [(_seconds(step["at"]), str(step["type"])) for step in one.timeline]
    sent = [(one.tracked.sent_at, BEING_ACCEPTED)] if one.tracked.sent_at < min(steps)[0] else []
    return [*sent, *steps]


def _step_at(life: Sequence[tuple[float, str]], at: float) -> str | None:
    if at >= life[-1][0]:
        return None
    return next((step for since, step in reversed(life) if since <= at), None)


def recovery(one: Evidence, last_start: float, deadline_s: float, now: float = math.inf) -> float:
    """Return the seconds from the last restart, or from the receipt of the order if that is later, to its final status.

    Excludes the time in which a customer or an approver lets a deadline pass. Includes the time before decisions.
    Returns 0 for an order that ended later than `now`: while the system's clock was ahead, before the last restart.
    """
    order = one.order or {}
    if not order.get("completedAt"):
        return 0.0
    begin, end = max(last_start, _seconds(order["receivedAt"])), _seconds(order["completedAt"])
    if end > now:
        return 0.0
    silence = 0.0
    if one.tracked.kind.lets_deadline_pass:
        asked = [_seconds(step["at"]) for step in one.timeline if step["type"] in _ASKS]
        silence = sum(max(min(at + deadline_s, end) - max(at, begin), 0.0) for at in asked)
    return max(end - begin - silence, 0.0)


def standstill(one: Evidence, last_start: float) -> str:
    """Describe the longest step of an order after the last restart."""
    steps = [(max(at, last_start), step) for at, step in _life(one)]
    gaps = [(after - at, step, then) for (at, step), (after, then) in pairwise(steps)]
    longest, step, then = max(gaps)
    return f"was in {step} for {longest:.1f} s, then {then}"


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
