"""Tasks that run later, and the threads that run them."""

import heapq
import itertools
import threading
import time
import traceback
from collections.abc import Callable

from services.common.logs import get_logger

log = get_logger(__name__)

Task = Callable[[], object]

_MAX_ERRORS = 100


class Schedule:
    """Runs tasks when they are due, on a fixed number of threads; a task waits while all of them are busy.

    Threads may share it. A task that raises is logged, and the first 100 tracebacks are kept in `errors`.
    """

    def __init__(self, threads: int) -> None:
        self.errors: list[str] = []
        self._due: list[tuple[float, int, Task]] = []
        self._numbers = itertools.count()
        self._running = 0
        self._changed = threading.Condition()
        self._stopped = False
        self._threads = [threading.Thread(target=self._work, name="schedule", daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def later(self, delay: float, task: Task) -> None:
        """Run the task after `delay` seconds."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + delay, next(self._numbers), task))
            self._changed.notify()

    @property
    def idle(self) -> bool:
        """Whether no task is running or planned."""
        with self._changed:
            return not self._due and not self._running

    def stop(self, *, wait: bool = True) -> None:
        """Drop the planned tasks, and wait for the running ones unless `wait` is false."""
        with self._changed:
            self._stopped = True
            self._due.clear()
            self._changed.notify_all()
        for thread in self._threads if wait else ():
            thread.join()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            try:
                task()
            except Exception:
                log.exception("a scheduled task failed")
                if len(self.errors) < _MAX_ERRORS:
                    self.errors.append(traceback.format_exc())
            with self._changed:
                self._running -= 1

    def _next(self) -> Task | None:
        """Wait for the next task that is due and count it as running; return None after `stop`."""
        with self._changed:
            while not self._stopped:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    task = heapq.heappop(self._due)[2]
                    self._running += 1
                    # Another thread may be waiting for the task that was taken; it has to look for the next one.
                    self._changed.notify()
                    return task
                self._changed.wait(wait)
            return None
