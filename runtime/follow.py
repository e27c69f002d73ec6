"""Shows on the console what the apps write to their log files, each line behind the app's name."""

import threading
from pathlib import Path

from runtime.console import say

POLL_S = 0.3


class Follower:
    """Follows log files from their present ends until stop()."""

    def __init__(self, logs: dict[str, Path]) -> None:
        self._width = max(len(name) for name in logs)
        self._logs = logs
        self._read = {name: log.stat().st_size if log.exists() else 0 for name, log in logs.items()}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Show what has been written up to now, and no more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(POLL_S):
            self._show()
        self._show()

    def _show(self) -> None:
        for name, log in self._logs.items():
            for line in self._new_lines(name, log):
                say(f"{name:<{self._width}} | {line}")

    def _new_lines(self, name: str, log: Path) -> list[str]:
        if not log.exists():
            return []
        with log.open("rb") as file:
            file.seek(self._read[name])
            # A line that is still being written is shown once it is whole.
            whole, newline, _rest = file.read().rpartition(b"\n")
        self._read[name] += len(whole) + len(newline)
        return whole.decode(errors="replace").splitlines()
