"""Percentiles of the durations of the last seconds."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

from services.common.clock import moment
from services.common.json_models import Json
from services.common.states import OrderStatus

Percentiles = tuple[float, float]
"""The median and the 95th percentile."""

_WINDOW_SECONDS = 10.0
_MAX_VALUES = 5000
_MAX_ORDERS = 20_000
_RECEIVED = "received"
_STATUSES = tuple(status.value for status in OrderStatus if status is not OrderStatus.PENDING)


class LatencyWindow:
    """The durations of the last ten seconds. Threads may share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._values: deque[tuple[float, float]] = deque(maxlen=_MAX_VALUES)

    def add(self, value: float) -> None:
        """Add a duration, measured now."""
        with self._guard:
            self._values.append((self._clock(), value))

    def percentiles(self) -> Percentiles | None:
        """Return the percentiles of the durations, None when there are none."""
        with self._guard:
            since = self._clock() - _WINDOW_SECONDS
            while self._values and self._values[0][0] < since:
                self._values.popleft()
            values = sorted(value for _, value in self._values)
        return (quantile(values, 0.5), quantile(values, 0.95)) if values else None


def quantile(values: Sequence[float], share: float) -> float:
    """Return the quantile of sorted values; it is one of the values."""
    return values[min(int(share * len(values)), len(values) - 1)]


class StatusLatencies:
    """Seconds from the receipt of an order to each status that it reaches, by the timestamps of its events.

    The events of an order may arrive in any order, and more than once.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._guard = threading.Lock()
        self._windows = {status: LatencyWindow(clock) for status in _STATUSES}
        self._orders: OrderedDict[str, dict[str, float]] = OrderedDict()

    def on_event(self, order_id: str, status: str, time: str) -> None:
        """Handle an event; those of statuses that are not measured are ignored."""
        if status != _RECEIVED and status not in self._windows:
            return
        with self._guard:
            times = self._orders.setdefault(order_id, {})
            if status in times:
                return
            times[status] = moment(time).timestamp()
            while len(self._orders) > _MAX_ORDERS:
                self._orders.popitem(last=False)
            received = times.get(_RECEIVED)
            if received is None:
                return
            reached = [other for other in times if other != _RECEIVED] if status == _RECEIVED else [status]
            durations = {other: times[other] - received for other in reached}
        for other, seconds in durations.items():
            self._windows[other].add(max(seconds, 0.0))

    def percentiles(self) -> dict[str, Percentiles]:
        """Return the percentiles for each status that orders reached in the last ten seconds."""
        by_status = {status: window.percentiles() for status, window in self._windows.items()}
        return {status: percentiles for status, percentiles in by_status.items() if percentiles is not None}


def order_status(event: Json) -> str | None:
    """Return the status that an event reports of its order, None for an event about a payment or a shipment."""
    subject, _, status = str(event.get("type")).partition(".")
    return status if subject == "order" else None
