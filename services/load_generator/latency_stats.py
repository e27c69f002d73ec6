"""Durations of the last seconds, and which of them half and nearly all stayed below; pure but for the clock."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

from services.common.clock import moment
from services.common.json_models import Json

Spread = tuple[float, float]
"""The value that half of all stay below, and the one that 95 in 100 do."""

_SECONDS = 10.0
_MOST_VALUES = 5000
_MOST_ORDERS = 20_000
_RECEIVED = "received"
_STATUSES = (
    "customerActionRequired",
    "approvalRequired",
    "processing",
    "completed",
    "cancelled",
    "timedOut",
    "failed",
)


class Window:
    """Values of the last ten seconds. Threads may share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._values: deque[tuple[float, float]] = deque(maxlen=_MOST_VALUES)

    def add(self, value: float) -> None:
        """Note a value."""
        with self._guard:
            self._values.append((self._clock(), value))

    def spread(self) -> Spread | None:
        """Return the spread of the values, None when there are none."""
        with self._guard:
            since = self._clock() - _SECONDS
            while self._values and self._values[0][0] < since:
                self._values.popleft()
            values = sorted(value for _, value in self._values)
        return (quantile(values, 0.5), quantile(values, 0.95)) if values else None


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of the values, which are in order, does not exceed."""
    return values[min(int(share * len(values)), len(values) - 1)]


class Latencies:
    """How long orders take to each status, in seconds from when they were received, by the times of their events.

    The events of an order may come in any order, and more than once.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._guard = threading.Lock()
        self._windows = {status: Window(clock) for status in _STATUSES}
        self._orders: OrderedDict[str, dict[str, float]] = OrderedDict()

    def heard(self, order_id: str, status: str, time: str) -> None:
        """Take an event; one of another status says nothing."""
        if status != _RECEIVED and status not in self._windows:
            return
        with self._guard:
            known = self._orders.setdefault(order_id, {})
            if status in known:
                return
            known[status] = moment(time).timestamp()
            while len(self._orders) > _MOST_ORDERS:
                self._orders.popitem(last=False)
            received = known.get(_RECEIVED)
            reached = list(known) if status == _RECEIVED else [status]
            if received is None:
                return
            took = {one: known[one] - received for one in reached if one != _RECEIVED}
        for one, seconds in took.items():
            self._windows[one].add(max(seconds, 0.0))

    def spreads(self) -> dict[str, Spread]:
        """Return the spread for each status that was reached in the last seconds."""
        found = {status: window.spread() for status, window in self._windows.items()}
        return {status: spread for status, spread in found.items() if spread is not None}


def order_status(event: Json) -> str | None:
    """Return the status that an event tells of, None for one that is about something else than the order."""
    subject, _, status = str(event.get("type")).partition(".")
    return status if subject == "order" else None
