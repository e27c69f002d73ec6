"""Runs a command as a person would, with or without a terminal, and finds every process that comes of it."""

import os
import pty
import select
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from launcher.paths import ROOT
from launcher.supervision.processes import Process, marked_by, send
from launcher.supervision.reaper import MAKE_PID
from tests.e2e.polling import eventually

_MARK = "OMS_TEST_COMMAND"
GONE_WITHIN_S = 15.0


class Command:
    """A command in a session of its own; `terminal` gives it one, as when a window is opened for it alone."""

    def __init__(
        self, arguments: Sequence[str | Path], *, env: Mapping[str, str] | None = None, terminal: bool = False
    ) -> None:
        self._id = uuid.uuid4().hex
        ours = {name: value for name, value in os.environ.items() if name != MAKE_PID and not name.startswith("MAKE")}
        self._output = b""
        if terminal:
            self._ours, theirs = pty.openpty()
        else:
            self._ours, theirs = os.pipe()
        self._popen = subprocess.Popen(
            [sys.executable, "-c", _AS_LEADER, *arguments],
            cwd=ROOT,
            env={**ours, **(env or {}), _MARK: self._id},
            stdin=theirs if terminal else subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._terminal, self._closing = terminal, threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        while left := [process.pid for process in self.processes()]:
            send(left, signal.SIGKILL)
            self._popen.poll()
        self._popen.wait()
        self._closing.set()

    @property
    def output(self) -> str:
        """What the command has printed up to now."""
        return self._output.decode(errors="replace").replace("\r\n", "\n")

    @property
    def pid(self) -> int:
        return self._popen.pid

    def processes(self) -> list[Process]:
        """Return the processes that came of the command and still run, itself among them."""
        return marked_by(_MARK, self._id)

    def process(self, *words: str) -> Process:
        """Return a process whose arguments hold these words, once it runs."""

        def look() -> Process | None:
            return next((one for one in self.processes() if " ".join(words) in " ".join(one.arguments)), None)

        found = eventually(look)
        assert found
        return found

    def prints(self, text: str) -> None:
        """Wait until the command has printed a text."""
        eventually(lambda: self.output if text in self.output else None)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the command itself, and to nothing that it has started."""
        self._popen.send_signal(number)

    def close_terminal(self) -> None:
        """Close the window."""
        assert self._terminal
        self._closing.set()
        self._reader.join()

    def leaves_nothing(self) -> None:
        """Wait until no process is left. Raises AssertionError when one is after 15 seconds."""

        def look() -> bool:
            self._popen.poll()
            left = [f"{one.pid} {' '.join(one.arguments)[:150]}" for one in self.processes()]
            assert not left, "\n".join(["these are left:", *left, "the output:", self.output])
            return True

        eventually(look, GONE_WITHIN_S)

    def _read(self) -> None:
        # Never in the middle of a read, which would keep the terminal open.
        with suppress(OSError):
            while not self._closing.is_set():
                if select.select([self._ours], [], [], 0.05)[0]:
                    data = os.read(self._ours, 65536)
                    self._output += data
                    if not data:
                        break
        os.close(self._ours)


# A test run under nohup ignores SIGHUP, and would hand that on. A session leader gets its terminal by opening it.
_AS_LEADER = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGHUP, signal.SIG_DFL)
if os.isatty(0):
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
