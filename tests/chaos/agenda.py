"""What robots will do in a moment: jobs with a time, done by a pool of threads."""

import heapq
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

_AT_ONCE = 48
"""During an outage many robots stand and wait for an answer."""


class Agenda:
    """Does jobs later; threads may share it. What goes wrong in a job is kept in `errors`, not lost with its thread."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers, self._under_way = 0, 0
        self._changed = threading.Condition()
        self._stopped = False
        self._pool = ThreadPoolExecutor(_AT_ONCE, "robot")
        self._thread = threading.Thread(target=self._run, name="agenda", daemon=True)
        self._thread.start()

    def later(self, seconds: float, job: Callable[[], object]) -> None:
        """Do the job in so many seconds."""
        with self._changed:
            self._numbers += 1
            heapq.heappush(self._due, (time.monotonic() + seconds, self._numbers, job))
            self._changed.notify()

    def now(self, job: Callable[[], object]) -> None:
        """Do the job as soon as a thread is free."""
        self.later(0.0, job)

    @property
    def idle(self) -> bool:
        """Tell whether nothing is under way or planned."""
        with self._changed:
            return not self._due and not self._under_way

    def stop(self) -> None:
        """Forget what is planned, and wait for what is under way."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()
        self._pool.shutdown()

    def _run(self) -> None:
        with self._changed:
            while not self._stopped:
                pause = self._due[0][0] - time.monotonic() if self._due else None
                if pause is None or pause > 0:
                    self._changed.wait(pause)
                    continue
                _, _, job = heapq.heappop(self._due)
                self._under_way += 1
                self._pool.submit(job).add_done_callback(self._ended)

    def _ended(self, job: Future[object]) -> None:
        error = job.exception()
        with self._changed:
            self._under_way -= 1
            if error is not None:
                self.errors.append("".join(traceback.format_exception(error)))
