"""The folder that holds all data of a running system, and the rule that one launcher at a time works on it."""

import fcntl
import os
import shutil
from pathlib import Path
from typing import IO

from launcher.console import say
from launcher.errors import LaunchError
from launcher.supervision.processes import end, marked

LEFTOVER_GRACE_S = 10.0


def is_taken(path: Path) -> bool:
    """Tell whether a launcher works on a state folder."""
    if not (path / "lock").exists():
        return False
    with (path / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


class StateFolder:
    """The data of Redis and of the scheduler, which are only of use together, and the log files."""

    def __init__(self, path: Path) -> None:
        """Name the folder; it is made when it is taken."""
        self.path = path
        self._lock: IO[str] | None = None

    @property
    def taken(self) -> bool:
        """Tell whether this launcher works on the folder."""
        return self._lock is not None

    def take(self) -> None:
        """Make sure that no other launcher works on the folder, and end what a killed one left running."""
        self.path.mkdir(parents=True, exist_ok=True)
        lock = (self.path / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip()
            lock.close()
            message = f"The system already runs on {self.path} (process {holder}): stop that one first."
            raise LaunchError(message) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock
        if left := self._leftovers():
            say(f"Ending {len(left)} processes that an earlier run left behind.")
            end(left, LEFTOVER_GRACE_S)

    def leave(self) -> None:
        """End what is still running on the folder, and let the next launcher take it."""
        if self._lock is not None:
            # What was just starting when a signal came is known by its mark only.
            end(self._leftovers(), LEFTOVER_GRACE_S)
            self._lock.close()
            self._lock = None

    def remove(self) -> None:
        """Remove all data, unless a launcher works on them."""
        self.take()
        self.leave()
        shutil.rmtree(self.path)

    def _leftovers(self) -> list[int]:
        """Return the processes that were started for this folder."""
        return [process.pid for process in marked(self.path) if process.pid != os.getpid()]
