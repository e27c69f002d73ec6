"""The activities that run in this process, so that it can end between them and not in the middle of one."""

import threading
from collections.abc import Callable
from typing import TypeVar

R = TypeVar("R")

_DELIVERY = 0.1


class InFlightActivities:
    """Counts the activities that run, until it is told to let no more begin."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = self._done = 0
        self._stopped = False

    def run(self, activity: Callable[[], R]) -> R:
        """Run an activity; once stopped, hold it for as long as the process lives.

        No answer is ever sent for an activity that is held, so the engine gives it to the next worker: as if it had
        never come here, where an error would count as a try.
        """
        with self._changed:
            while self._stopped:
                self._changed.wait()
            self._running += 1
        try:
            return activity()
        finally:
            with self._changed:
                self._running -= 1
                self._done += 1
                self._changed.notify_all()

    def done(self) -> int:
        """Return how many activities have ended so far."""
        return self._done

    def stop(self, seconds: float) -> bool:
        """Let no activity begin any more and wait for those that run; tell whether all ended within `seconds`."""
        with self._changed:
            self._stopped = True
            idle = self._changed.wait_for(lambda: self._running == 0, seconds)
            # A result is on its way to the sidecar a moment after its activity has ended.
            self._changed.wait(_DELIVERY)
        return idle
