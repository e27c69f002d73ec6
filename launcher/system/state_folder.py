"""The folder with all data of a system, and its lock for one launcher at a time."""

import fcntl
import os
import shutil
from pathlib import Path
from typing import IO

from launcher.console import print_line
from launcher.errors import LaunchError
from launcher.supervision.processes import marked, terminate

LEFTOVER_GRACE_S = 10.0


def is_in_use(path: Path) -> bool:
    """Return whether a launcher holds the lock of a state folder."""
    if not (path / "lock").exists():
        return False
    with (path / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


class StateFolder:
    """The data of Redis and the scheduler, which belong together, and the log files."""

    def __init__(self, path: Path) -> None:
        """Set the path. acquire() creates the folder."""
        self.path = path
        self._lock: IO[str] | None = None

    @property
    def is_acquired(self) -> bool:
        """Return whether this launcher holds the lock."""
        return self._lock is not None

    def acquire(self) -> None:
        """Lock the folder, and end processes of a killed launcher. Raises LaunchError when the folder is in use."""
        self.path.mkdir(parents=True, exist_ok=True)
        lock = (self.path / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip()
            lock.close()
            message = f"The system is already running on {self.path} (process {holder}). Stop it first."
            raise LaunchError(message) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock
        if leftovers := self._leftovers():
            print_line(f"Ending {len(leftovers)} processes of an earlier run.")
            terminate(leftovers, LEFTOVER_GRACE_S)

    def release(self) -> None:
        """End the remaining processes of the folder, and release the lock."""
        if self._lock is not None:
            # A process that was just being started when a signal arrived is known only by its mark.
            terminate(self._leftovers(), LEFTOVER_GRACE_S)
            self._lock.close()
            self._lock = None

    def remove(self) -> None:
        """Remove all data. Raises LaunchError when the folder is in use."""
        self.acquire()
        self.release()
        shutil.rmtree(self.path)

    def _leftovers(self) -> list[int]:
        """Return the processes that were started for this folder."""
        return [process.pid for process in marked(self.path) if process.pid != os.getpid()]
