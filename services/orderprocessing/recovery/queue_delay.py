"""Estimates how long an order is queued for its next step, so that a queued order is not taken for a lost one."""

from collections.abc import Callable
from datetime import datetime, timedelta

_MIN_QUEUE_LENGTH = 50
"""A shorter queue causes no delay worth estimating, however slowly the counted steps follow each other."""
_SAFETY_FACTOR = 2
_MAX_DELAY = timedelta(minutes=10)


class QueueDelayEstimate:
    """The estimated delay, from the number of queued orders and the rate of completed steps, updated by each scan."""

    def __init__(self, completed_steps: Callable[[], int]) -> None:
        self._completed_steps = completed_steps
        self._queued = 0
        self._last: tuple[int, datetime] | None = None
        self._delay = timedelta()

    def count(self) -> None:
        """Count an order that waits for its next step."""
        self._queued += 1

    def update(self, now: datetime) -> None:
        """Update the estimate at the end of a scan. While no step completes there is no queue to wait in."""
        completed, last = self._completed_steps(), self._last
        self._last, queued, self._queued = (completed, now), self._queued, 0
        if last is None or now <= last[1]:
            return
        rate = (completed - last[0]) / (now - last[1]).total_seconds()
        self._delay = timedelta()
        if queued > _MIN_QUEUE_LENGTH and rate > 0:
            self._delay = min(timedelta(seconds=min(_SAFETY_FACTOR * queued / rate, 1e6)), _MAX_DELAY)

    def delay(self) -> timedelta:
        """Return how long an order may make no progress only because it is queued."""
        return self._delay
