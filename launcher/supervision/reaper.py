"""Ends every process that a command started once the command has ended, even by SIGKILL.

`ensure()` starts a reaper for this process: a small process in its own session, which signals to the terminal or to the
process group do not reach. Every process started afterwards inherits the reaper's id in its environment. When the owner
has ended, the reaper ends every process with its id. It also ends the owner when the `make` that started it was killed
or the terminal was closed. A reaper that is killed is restarted.
"""

import atexit
import os
import select
import signal
import subprocess
import sys
import threading
import time
import uuid

from launcher.paths import ROOT
from launcher.supervision.processes import ancestors, marked_by, neither_catches_nor_ignores, send

REAPERS = "OMS_REAPERS"
"""Environment variable: the ids of the reapers that a process belongs to, separated by colons, outermost first."""
MAKE_PID = "OMS_MAKE_PID"
"""Environment variable: the process id of the outermost `make`. The Makefile sets it."""
POLL_S = 0.5 if sys.platform == "linux" else 2.0
STOP_TIMEOUT_S = 11.0
"""Time for the orderly stop of a command before it is killed."""
GRACE_S = 2.5
"""Grace period of the processes that a command left running."""
_SWEEP_TIMEOUT_S = 30.0
_CLOSE_TIMEOUT_S = 5.0


class _Reaper:
    """The owner's side. Restarts the reaper process until the owner ends."""

    def __init__(self) -> None:
        self._id = uuid.uuid4().hex
        # The read end becomes readable when the owner, the only holder of the write end, has ended.
        self._read_end, self._write_end = os.pipe()
        # Without its own id in its environment, so that the reaper does not end itself. An outer reaper may end it.
        self._env = {**os.environ, "PYTHONPATH": str(ROOT)}
        outer = os.environ.get(REAPERS)
        os.environ[REAPERS] = f"{outer}:{self._id}" if outer else self._id
        self._closing = threading.Event()
        self._process = self._start()
        threading.Thread(target=self._restart_when_killed, name="reaper supervisor", daemon=True).start()
        atexit.register(self.close)

    @property
    def pid(self) -> int:
        """Return the process id of the reaper."""
        return self._process.pid

    def close(self) -> None:
        """Let the reaper end the remaining processes, then itself."""
        self._closing.set()
        if self._write_end >= 0:
            os.close(self._write_end)
            self._write_end = -1
        try:
            self._process.wait(_CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return  # the reaper continues on its own

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "launcher.supervision.reaper", self._id, str(os.getpid())],
            cwd=ROOT,
            env=self._env,
            stdin=self._read_end,
            # Not the owner's output: a reader of that would wait until the reaper closes it.
            stdout=subprocess.DEVNULL,
            stderr=next((fd for fd in (2, 1) if os.isatty(fd)), subprocess.DEVNULL),
            start_new_session=True,
        )

    def _restart_when_killed(self) -> None:
        while self._process.wait() is not None and not self._closing.is_set():
            self._process = self._start()


_reapers: list[_Reaper] = []


def ensure() -> int:
    """Start a reaper for this process unless it has one. Return the reaper's process id."""
    if not _reapers:
        _reapers.append(_Reaper())
    return _reapers[0].pid


def watch(owner: int) -> None:
    """Wait until the owner, the parent process, has ended. End it when its `make` or terminal is gone."""
    on_terminal = os.isatty(2)
    while _runs(owner, POLL_S):
        if _make_is_gone(owner) or (on_terminal and not os.isatty(2)):
            send([owner], signal.SIGTERM)
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while _runs(owner, POLL_S):
                if time.monotonic() > deadline:
                    send([owner], signal.SIGKILL)


def sweep(reaper_id: str) -> None:
    """End every process with this reaper's id, including those that are just being started."""
    began = time.monotonic()
    signalled: set[int] = set()
    empty_scans = 0
    # Two empty scans: a process that was just forked shows its environment only after exec.
    while empty_scans < 2 and time.monotonic() - began < _SWEEP_TIMEOUT_S:
        remaining = {process.pid for process in marked_by(REAPERS, reaper_id)} - {os.getpid()}
        empty_scans = 0 if remaining else empty_scans + 1
        if time.monotonic() - began > GRACE_S:
            send(remaining, signal.SIGKILL)
        send(remaining - signalled, signal.SIGTERM)
        signalled |= remaining
        time.sleep(0.05)


def _runs(owner: int, seconds: float) -> bool:
    """Return whether the owner is still running after `seconds`. Returns at once when it ends."""
    return not select.select([0], [], [], seconds)[0] and os.getppid() == owner


def _make_is_gone(owner: int) -> bool:
    """Return whether the `make` above the owner was killed or is ending."""
    make = int(os.environ.get(MAKE_PID) or 0)
    if not make:
        return False
    # An orphan gets another parent. A make that received SIGHUP waits for its children without signalling them, and no
    # longer catches the signal.
    return make not in ancestors(owner) or neither_catches_nor_ignores(make, signal.SIGHUP)


def main() -> None:
    """Run the reaper. The arguments are its id and the process id of its owner."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    reaper_id, owner = sys.argv[1], int(sys.argv[2])
    watch(owner)
    sweep(reaper_id)


if __name__ == "__main__":
    main()
