"""Runs a command with or without a terminal, and finds all its processes."""

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
EXIT_TIMEOUT_S = 15.0


class Command:
    """A command in its own session. With `terminal` it gets its own terminal."""

    def __init__(
        self, arguments: Sequence[str | Path], *, env: Mapping[str, str] | None = None, terminal: bool = False
    ) -> None:
        self._id = uuid.uuid4().hex
        inherited = {
            name: value for name, value in os.environ.items() if name != MAKE_PID and not name.startswith("MAKE")
        }
        self._output = b""
        if terminal:
            self._own_end, child_end = pty.openpty()
        else:
            self._own_end, child_end = os.pipe()
        self._popen = subprocess.Popen(
            [sys.executable, "-c", _AS_LEADER, *arguments],
            cwd=ROOT,
            env={**inherited, **(env or {}), _MARK: self._id},
            stdin=child_end if terminal else subprocess.DEVNULL,
            stdout=child_end,
            stderr=child_end,
            start_new_session=True,
        )
        os.close(child_end)
        self._terminal, self._closing = terminal, threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        while remaining := [process.pid for process in self.processes()]:
            send(remaining, signal.SIGKILL)
            self._popen.poll()
        self._popen.wait()
        self._closing.set()

    @property
    def output(self) -> str:
        """The output of the command so far."""
        return self._output.decode(errors="replace").replace("\r\n", "\n")

    @property
    def pid(self) -> int:
        return self._popen.pid

    def processes(self) -> list[Process]:
        """Return the running processes of the command, including itself."""
        return marked_by(_MARK, self._id)

    def process(self, *words: str) -> Process:
        """Wait for a process whose arguments contain these words, and return it."""

        def look() -> Process | None:
            return next((one for one in self.processes() if " ".join(words) in " ".join(one.arguments)), None)

        found = eventually(look)
        assert found
        return found

    def prints(self, text: str) -> None:
        """Wait until the command has printed a text."""
        eventually(lambda: self.output if text in self.output else None)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the command itself, not to its child processes."""
        self._popen.send_signal(number)

    def close_terminal(self) -> None:
        """Close the terminal."""
        assert self._terminal
        self._closing.set()
        self._reader.join()

    def leaves_nothing(self) -> None:
        """Wait until no process is remaining. Raises AssertionError after 15 seconds."""

        def look() -> bool:
            self._popen.poll()
            remaining = [f"{one.pid} {' '.join(one.arguments)[:150]}" for one in self.processes()]
            assert not remaining, "\n".join(["remaining processes:", *remaining, "output:", self.output])
            return True

        eventually(look, EXIT_TIMEOUT_S)

    def _read(self) -> None:
        # Not during a blocking read, which would keep the terminal open.
        with suppress(OSError):
            while not self._closing.is_set():
                if select.select([self._own_end], [], [], 0.05)[0]:
                    data = os.read(self._own_end, 65536)
                    self._output += data
                    if not data:
                        break
        os.close(self._own_end)


# Resets SIGHUP, which a test run under nohup ignores, and makes the terminal the controlling one of the session.
_AS_LEADER = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGHUP, signal.SIG_DFL)
if os.isatty(0):
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
