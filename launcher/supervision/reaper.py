"""Ends every process that a command started once the command is gone, however it went: by SIGKILL too.

`ensure()` gives this process a reaper: a small process in a session of its own, which no signal to the terminal or to
the process group reaches. Whatever is started from then on carries the reaper's id in its environment, and is found by
it. The reaper ends everything with its id when this process has ended, and ends this process when the `make` that
started it was killed, or the terminal was closed. The reaper itself goes last; if somebody kills it, it is started
again.
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
"""Environment variable: the process id of the `make` that a person started; the Makefile sets it."""
POLL_S = 0.5 if sys.platform == "linux" else 2.0
STOP_WITHIN_S = 11.0
"""How long a command may take for its orderly stop before it is killed."""
GRACE_S = 2.5
"""How long what a command left running may take to end by itself."""
_SWEEP_AT_MOST_S = 30.0
_CLOSE_WITHIN_S = 5.0


class _Reaper:
    """The owner's side: keeps the reaper process alive until the owner ends."""

    def __init__(self) -> None:
        self._id = uuid.uuid4().hex
        # What the reaper watches: its end of the pipe is readable as soon as no owner holds the other one.
        self._watched, self._held = os.pipe()
        # An outer reaper may end this one; by its own id it would end itself.
        self._env = {**os.environ, "PYTHONPATH": str(ROOT)}
        outer = os.environ.get(REAPERS)
        os.environ[REAPERS] = f"{outer}:{self._id}" if outer else self._id
        self._closing = threading.Event()
        self._process = self._start()
        threading.Thread(target=self._keep, name="keeper of the reaper", daemon=True).start()
        atexit.register(self.close)

    @property
    def pid(self) -> int:
        """Return the process id of the reaper."""
        return self._process.pid

    def close(self) -> None:
        """Let the reaper end what is left, and then itself."""
        self._closing.set()
        if self._held >= 0:
            os.close(self._held)
            self._held = -1
        try:
            self._process.wait(_CLOSE_WITHIN_S)
        except subprocess.TimeoutExpired:
            return  # it goes on by itself

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "launcher.supervision.reaper", self._id, str(os.getpid())],
            cwd=ROOT,
            env=self._env,
            stdin=self._watched,
            # Not the owner's output: whoever reads that waits for everybody who could still write.
            stdout=subprocess.DEVNULL,
            stderr=next((fd for fd in (2, 1) if os.isatty(fd)), subprocess.DEVNULL),
            start_new_session=True,
        )

    def _keep(self) -> None:
        while self._process.wait() is not None and not self._closing.is_set():
            self._process = self._start()


_reapers: list[_Reaper] = []


def ensure() -> int:
    """Give this process a reaper, unless it has one; return the reaper's process id."""
    if not _reapers:
        _reapers.append(_Reaper())
    return _reapers[0].pid


def watch(owner: int) -> None:
    """Wait until the owner, which is the parent, has ended; end it when whoever started it is gone."""
    on_terminal = os.isatty(2)
    while _runs(owner, POLL_S):
        if _make_is_gone(owner) or (on_terminal and not os.isatty(2)):
            send([owner], signal.SIGTERM)
            deadline = time.monotonic() + STOP_WITHIN_S
            while _runs(owner, POLL_S):
                if time.monotonic() > deadline:
                    send([owner], signal.SIGKILL)


def sweep(reaper_id: str) -> None:
    """End every process that carries this reaper's id, and what those may be starting just now."""
    began = time.monotonic()
    asked: set[int] = set()
    quiet = 0
    # Twice, because a process that was just forked is known by its id only once its program runs.
    while quiet < 2 and time.monotonic() - began < _SWEEP_AT_MOST_S:
        left = {process.pid for process in marked_by(REAPERS, reaper_id)} - {os.getpid()}
        quiet = 0 if left else quiet + 1
        if time.monotonic() - began > GRACE_S:
            send(left, signal.SIGKILL)
        send(left - asked, signal.SIGTERM)
        asked |= left
        time.sleep(0.05)


def _runs(owner: int, seconds: float) -> bool:
    """Tell whether the owner still runs after so many seconds; return at once when it ends."""
    return not select.select([0], [], [], seconds)[0] and os.getppid() == owner


def _make_is_gone(owner: int) -> bool:
    """Tell whether the `make` above the owner was killed, or told to end."""
    make = int(os.environ.get(MAKE_PID) or 0)
    if not make:
        return False
    # A process that lost an ancestor has got another parent. A make that got SIGHUP waits for its children without
    # telling them; it catches the signal no longer.
    return make not in ancestors(owner) or neither_catches_nor_ignores(make, signal.SIGHUP)


def main() -> None:
    """Be the reaper with the id and for the owner that the arguments give."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    reaper_id, owner = sys.argv[1], int(sys.argv[2])
    watch(owner)
    sweep(reaper_id)


if __name__ == "__main__":
    main()
