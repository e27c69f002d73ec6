"""Failures of the environment: deleted scheduler jobs, a full disk, a wall clock that jumps."""

import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from tests.chaos.etcd import JOBS, delete_keys
from tests.chaos.wall_clock import WallClock

JOBS_DELETED = "the scheduler's jobs (deleted)"
DISK_FULL = "the disk (full)"
CLOCK_JUMPS = "the wall clock (an hour forward and back, and back and forward)"

_DISK_SIZE = "768m"
_FULL_FOR_S = 6.0
_WIPES, _BETWEEN_WIPES_S, _WIPES_TIMEOUT_S = 20, 0.1, 30.0
"""Repeated, to also hit jobs that exist for milliseconds only, such as those of activities."""
_HOUR_S = 3600
_JUMPS_AHEAD_S = (_HOUR_S, 0, -_HOUR_S, 0)
_BETWEEN_JUMPS_S = 4.0
_POLL_S = 0.05
_CHUNK = bytes(1 << 20)


@dataclass(frozen=True)
class Conditions:
    """Causes conditions for the system of a state folder, and ends them again.

    `pids` returns the ids of the system's processes.
    """

    folder: Path
    pids: Callable[[], Collection[int]]

    def cause(self, name: str) -> None:
        """Cause a condition, and return when it has ended."""
        {JOBS_DELETED: self._delete_jobs, DISK_FULL: self._fill_disk, CLOCK_JUMPS: self._jump}[name]()

    def _delete_jobs(self) -> None:
        deadline = time.monotonic() + _WIPES_TIMEOUT_S
        wipes = 0
        while wipes < _WIPES:
            try:
                delete_keys(self.folder, JOBS)
                wipes += 1
            except grpc.RpcError:
                # The scheduler may exit when a job disappears while it triggers the job, and its etcd with it.
                if time.monotonic() > deadline:
                    raise
            time.sleep(_BETWEEN_WIPES_S)

    def _fill_disk(self) -> None:
        filler = self.folder / "filler"
        try:
            with filler.open("wb", buffering=0) as file:
                full_since: float | None = None
                while full_since is None or time.monotonic() < full_since + _FULL_FOR_S:
                    try:
                        file.write(_CHUNK)
                    except OSError:
                        full_since = full_since or time.monotonic()
                        time.sleep(_POLL_S)
        finally:
            filler.unlink()

    def _jump(self) -> None:
        with WallClock(self.pids) as clock:
            for ahead in _JUMPS_AHEAD_S:
                clock.set_ahead(ahead)
                time.sleep(_BETWEEN_JUMPS_S)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a small disk on a folder. Requires root. Raises CalledProcessError on failure."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK_SIZE}", "tmpfs", folder], check=True, capture_output=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
