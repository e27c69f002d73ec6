"""A wall clock that the processes of a system share, and that a test sets. The machine's clock stays as it is."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self, TypeVar

from launcher.supervision.processes import send
from tests.chaos.vdso import PROC, ClockNotAdjustableError, Vdso

T = TypeVar("T")

_STOP_TIMEOUT_S = 5.0
_POLL_S = 0.001
_NEW_PROCESS_POLL_S = 0.02
_TRIES = 100


class WallClock:
    """Sets the wall clock of processes, all at the same moment, and from then on that of new ones.

    `pids` returns the ids of the processes. A new process runs with the machine's clock for about 50 ms.
    """

    def __init__(self, pids: Callable[[], Collection[int]]) -> None:
        self._pids = pids
        self._ahead = 0
        self._known: dict[int, Vdso] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="wall-clock", daemon=True)
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        """Check that the clock can be set. Raises ClockNotAdjustableError."""
        self.set_ahead(0)
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Set the machine's time again."""
        self._stopped.set()
        self._watcher.join()
        failure, self.error = self.error, None
        self.set_ahead(0)
        if failure is not None:
            raise failure

    def set_ahead(self, seconds: int) -> None:
        """Set the clock to so many seconds ahead of the machine's. Raises ClockNotAdjustableError."""
        if self.error is not None:
            raise self.error
        with self._lock:
            self._ahead = seconds
            self._apply(self._pids())

    def _watch(self) -> None:
        """Set the clock of new processes."""
        while not self._stopped.wait(_NEW_PROCESS_POLL_S):
            with self._lock:
                new = [pid for pid in self._pids() if pid not in self._known or self._known[pid].ahead() is None]
                try:
                    self._apply(new)
                except ClockNotAdjustableError as error:
                    self.error = error
                    return

    def _apply(self, pids: Collection[int]) -> None:
        with _all_stopped(pids):
            for pid in pids:
                vdso = self._known.get(pid)
                if vdso is None or vdso.ahead() is None:  # a process loses its patch when it executes another program
                    vdso = Vdso.of(pid)
                if vdso is None:
                    self._known.pop(pid, None)
                    continue
                self._known[pid] = vdso
                vdso.set_ahead(self._ahead)


def require_adjustable() -> None:
    """Raise ClockNotAdjustableError if the wall clock of a process cannot be set here."""
    if not (PROC / "self" / "maps").exists():
        raise ClockNotAdjustableError("there is no /proc")
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            with WallClock(lambda: [process.pid]) as clock:
                clock.set_ahead(1)
        finally:
            process.kill()


@contextmanager
def _all_stopped(pids: Collection[int]) -> Iterator[None]:
    """Stop processes while the block runs, none of them at an address that the patch changes."""
    try:
        for _ in range(_TRIES):
            send(pids, signal.SIGSTOP)
            deadline = time.monotonic() + _STOP_TIMEOUT_S
            while any(_runs(pid) for pid in pids):
                if time.monotonic() > deadline:
                    raise ClockNotAdjustableError("a process does not stop")
                time.sleep(_POLL_S)
            if not any(_is_within_patch(pid) for pid in pids):
                break
            send(pids, signal.SIGCONT)
            time.sleep(_POLL_S)
        else:
            raise ClockNotAdjustableError("a process reads the clock all the time")
        yield
    finally:
        send(pids, signal.SIGCONT)


def _runs(pid: int) -> bool:
    """Return whether a thread of the process is not stopped."""
    return any(
        state not in "tTZX" for state in _read_threads(pid, "stat", lambda text: text.rpartition(")")[2].split()[0])
    )


def _is_within_patch(pid: int) -> bool:
    vdso = Vdso.of(pid)
    if vdso is None or vdso.ahead() is not None:
        return False
    counters = _read_threads(pid, "syscall", lambda text: text.split()[-1])
    return any(counter == "running" or vdso.busy(int(counter, 16)) for counter in counters)


def _read_threads(pid: int, name: str, read: Callable[[str], T]) -> list[T]:
    """Return what `read` makes of a file of each thread, without threads that have ended."""
    found: list[T] = []
    with suppress(OSError):
        for thread in list((PROC / str(pid) / "task").iterdir()):
            with suppress(OSError):
                found.append(read((thread / name).read_text()))
    return found
