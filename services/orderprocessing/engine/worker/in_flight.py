"""Counts in-flight activities, so that the process stops between activities and not in the middle of one."""

import threading
from collections.abc import Callable
from typing import TypeVar

R = TypeVar("R")

_RESULT_DELIVERY = 0.1
"""Seconds in which a result reaches the sidecar after its activity has ended."""


class InFlightActivities:
    """Counts in-flight and completed activities, and holds new ones back once it is stopped. Threads may share it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._in_flight = self._completed = 0
        self._stopped = False

    def run(self, activity: Callable[[], R]) -> R:
        """Run an activity; once stopped, block until the process ends.

        A blocked activity never answers, so the engine gives it to the next worker. An error would count as a try.
        """
        with self._changed:
            while self._stopped:
                self._changed.wait()
            self._in_flight += 1
        try:
            return activity()
        finally:
            with self._changed:
                self._in_flight -= 1
                self._completed += 1
                self._changed.notify_all()

    def completed(self) -> int:
        """Return how many activities have ended so far, also by an error."""
        return self._completed

    def stop(self, seconds: float) -> bool:
        """Start no more activities and wait for those in flight; return whether all ended within `seconds`."""
        with self._changed:
            self._stopped = True
            idle = self._changed.wait_for(lambda: self._in_flight == 0, seconds)
            self._changed.wait(_RESULT_DELIVERY)
        return idle
