"""What is to be done when, and the threads that do it."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable

from services.common.logs import get_logger

log = get_logger(__name__)


class Agenda:
    """Does things when they are due, on so many threads; what is due when all are busy waits."""

    def __init__(self, threads: int) -> None:
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._ended = False
        for _ in range(threads):
            threading.Thread(target=self._work, name="agenda", daemon=True).start()

    def add(self, delay: float, deed: Callable[[], object]) -> None:
        """Have something done in so many seconds."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + delay, next(self._numbers), deed))
            self._changed.notify()

    def end(self) -> None:
        """Do nothing any more; the threads end with what they are doing."""
        with self._changed:
            self._ended = True
            self._due.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        while (deed := self._next()) is not None:
            try:
                deed()
            except Exception:
                log.exception("something on the agenda went wrong")

    def _next(self) -> Callable[[], object] | None:
        """Wait for what is due next; None at the end."""
        with self._changed:
            while not self._ended:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    deed = heapq.heappop(self._due)[2]
                    # Others may sleep for what they took to be the next.
                    self._changed.notify()
                    return deed
                self._changed.wait(wait)
            return None
