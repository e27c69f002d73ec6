"""Sends numbered requests at a fixed rate."""

import threading
import time
from collections.abc import Callable

from services.common.logs import get_logger

log = get_logger(__name__)


class PacedSender:
    """Calls `send` with the numbers from 0 to `total` - 1, at `rate` calls a second, from `threads` threads.

    The rate does not depend on how fast the calls return: a call is late only while all threads are busy. An infinite
    rate makes each thread call again as soon as its last call has returned.
    """

    def __init__(self, send: Callable[[int], object], total: int, rate: float, threads: int) -> None:
        self._send, self._total, self._rate = send, total, rate
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._errors: list[Exception] = []
        self._threads = [threading.Thread(target=self._work, name="sender", daemon=True) for _ in range(threads)]
        self._next, self._lateness = 0, 0.0
        self.stopped_at: float | None = None
        self.started_at = self._last_sent_at = time.monotonic()

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Start no more calls; those in flight end as they would have."""
        if not self._stopping.is_set():
            self.stopped_at = time.monotonic()
            self._stopping.set()

    def wait(self) -> None:
        """Wait until all calls have returned. Raises the first error that a call raised."""
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    @property
    def active(self) -> bool:
        """Whether there are calls in flight or to come."""
        return any(thread.is_alive() for thread in self._threads)

    @property
    def overdue(self) -> float:
        """How many seconds the next call has been due; it waits because all threads are busy."""
        number = self._next
        if number >= self._total or self.stopped:
            return 0.0
        return max(time.monotonic() - self._due(number), 0.0)

    @property
    def lateness(self) -> float:
        """How many seconds late the last call started, or the next one is by now."""
        return max(self._lateness, self.overdue)

    def actual_rate(self, sent: int) -> float:
        """Return how many calls a second were started since the first one; an overdue call counts as a gap."""
        return max(sent - 1, 0) / max(self._last_sent_at + self.overdue - self.started_at, 0.001)

    def _due(self, number: int) -> float:
        return self.started_at + number / self._rate

    def _work(self) -> None:
        try:
            while (number := self._wait_for_next()) is not None:
                self._send(number)
        except Exception as error:
            log.exception("a sender failed")
            self._errors.append(error)

    def _wait_for_next(self) -> int | None:
        """Wait until the next call is due and return its number; None when there are no more."""
        with self._guard:
            number = self._next
            if number >= self._total or self.stopped:
                return None
            self._next += 1
        due = self._due(number)
        if self._stopping.wait(max(due - time.monotonic(), 0.0)):
            return None
        with self._guard:
            self._last_sent_at = time.monotonic()
            self._lateness = self._last_sent_at - due
        return number
