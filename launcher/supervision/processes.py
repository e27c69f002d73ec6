"""Processes of this machine: their ancestry, the mark of the launcher in their environment, and signals."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MARK = "OMS_STATE_DIR"
POLL_S = 0.05
PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """One running process."""

    pid: int
    parent: int
    arguments: list[str]
    environment: dict[str, str]


def running() -> list[Process]:
    """Return the processes that this user may inspect, without zombies."""
    if not (PROC / "self").exists():
        return _running_by_ps()
    found = (_read(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdigit())
    return [process for process in found if process is not None]


def _read(pid: int) -> Process | None:
    """Return a process from /proc, or None when it has ended or may not be inspected."""
    try:
        # The name in parentheses may contain anything, so the fields start after the last one.
        state, parent = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[:2]
        arguments = (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
        environment = (PROC / str(pid) / "environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None
    if state in "ZX":
        return None
    pairs = (item.partition("=") for item in environment if "=" in item)
    return Process(pid, int(parent), arguments[:-1], {key: value for key, _, value in pairs})


def _running_by_ps() -> list[Process]:
    """Return the processes on systems without /proc (macOS). `ps` appends the environment to the command."""
    listing = subprocess.run(
        ["ps", "-axEww", "-o", "pid=,ppid=,state=,command="], capture_output=True, text=True, check=False
    ).stdout
    result = []
    for line in listing.splitlines():
        pid, parent, state, *words = line.split()
        if not state.startswith("Z"):
            pairs = (word.partition("=") for word in words if "=" in word)
            result.append(Process(int(pid), int(parent), words, {key: value for key, _, value in pairs}))
    return result


def descendants(root: int) -> list[Process]:
    """Return all running descendants of a process, children first."""
    everyone = running()
    found: list[Process] = []
    level = [root]
    while level:
        children = [process for process in everyone if process.parent in level]
        found += children
        level = [process.pid for process in children]
    return found


def marked(state_dir: Path) -> list[Process]:
    """Return the processes that were started for a state folder, whatever their parent process is now."""
    mark = str(state_dir.resolve())
    return [process for process in running() if process.environment.get(MARK) == mark]


def marked_by(variable: str, mark: str) -> list[Process]:
    """Return the processes whose environment variable, a list separated by colons, contains the mark."""
    return [process for process in running() if mark in process.environment.get(variable, "").split(":")]


def ancestors(pid: int) -> list[int]:
    """Return the ancestors of a process, nearest first."""
    parents = {} if (PROC / "self").exists() else _parents_by_ps()
    found: list[int] = []
    while pid > 1 and pid not in found:
        found.append(pid)
        pid = parents.get(pid, 0) if parents else _parent(pid)
    return [*found[1:], pid]


def _parent(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _parents_by_ps() -> dict[int, int]:
    listing = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
    pairs = (line.split() for line in listing.splitlines())
    return {int(pid): int(parent) for pid, parent in pairs}


def neither_catches_nor_ignores(pid: int, number: signal.Signals) -> bool:
    """Return whether a signal would end a process. False where this is unknown, as on macOS."""
    try:
        status = (PROC / str(pid) / "status").read_text()
    except OSError:
        return False
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    handled = int(fields["SigCgt"], 16) | int(fields["SigIgn"], 16)
    return not handled & (1 << (number - 1))


def alive(pid: int) -> bool:
    """Return whether a process is running. A zombie is not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not (PROC / "self").exists() or _read(pid) is not None


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to each process that still exists."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def wait_ended(pids: Iterable[int], seconds: float) -> list[int]:
    """Wait until the processes have ended. Return those still running at the timeout."""
    deadline = time.monotonic() + seconds
    remaining = [pid for pid in pids if alive(pid)]
    while remaining and time.monotonic() < deadline:
        time.sleep(POLL_S)
        remaining = [pid for pid in remaining if alive(pid)]
    return remaining


def terminate(pids: Iterable[int], grace_s: float) -> None:
    """Send SIGTERM to the processes, and SIGKILL to those still running after the grace period."""
    targets = list(pids)
    send(targets, signal.SIGTERM)
    remaining = wait_ended(targets, grace_s)
    send(remaining, signal.SIGKILL)
    wait_ended(remaining, grace_s)
