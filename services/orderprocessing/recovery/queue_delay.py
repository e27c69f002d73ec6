"""Estimates how long an order has to wait for its turn, so that what only waits is not taken for what is lost."""

from collections.abc import Callable
from datetime import datetime, timedelta

_A_QUEUE = 50
"""So few orders wait no time worth mentioning, however slowly the steps that are counted follow each other."""
_MARGIN = 2
_LONGEST = timedelta(minutes=10)


class QueueDelayEstimate:
    """By how many orders wait for their next step and how many steps were done lately, from round to round."""

    def __init__(self, steps: Callable[[], int]) -> None:
        self._steps = steps
        self._waiting = 0
        self._last: tuple[int, datetime] | None = None
        self._wait = timedelta()

    def count(self) -> None:
        """Count an order that waits for its next step."""
        self._waiting += 1

    def end_round(self, now: datetime) -> None:
        """Estimate anew, now that all orders are counted; where nothing moves at all there is no queue to wait in."""
        done, last = self._steps(), self._last
        self._last, waiting, self._waiting = (done, now), self._waiting, 0
        if last is None or now <= last[1]:
            return
        rate = (done - last[0]) / (now - last[1]).total_seconds()
        self._wait = timedelta()
        if waiting > _A_QUEUE and rate > 0:
            self._wait = min(timedelta(seconds=min(_MARGIN * waiting / rate, 1e6)), _LONGEST)

    def wait(self) -> timedelta:
        """Return for how long an order may stand still only because it is not its turn."""
        return self._wait
