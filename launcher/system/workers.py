"""The workers of the apps: supervised processes that are started and stopped while the system runs."""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.errors import LaunchError
from launcher.supervision.probe import Probe
from launcher.supervision.supervisor import ProcessSpec, SupervisedProcess, stop_supervised

WORKERS = "WORKERS"
"""Environment variable: how many workers to start for each replica."""
DEFAULT_WORKERS = 2
_PER_PROCESSOR = 2
"""A worker uses one processor at most, and seldom all of it."""
NICENESS = "NICENESS"
"""Environment variable: the niceness of workers and of the services behind them. Under full load orders are then still
accepted quickly, and wait for their workflows instead."""
DEFAULT_NICENESS = 10
_MEMORY_EACH = 150 * 1024 * 1024
_STOP_GRACE_S = 12.0
_MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True)
class _Worker:
    process: SupervisedProcess
    app: str
    probe: Probe


def wanted_workers(env: Mapping[str, str], replicas: int = 1) -> int:
    """Return how many workers each replica gets at the start. Raises LaunchError for an invalid number.

    By default these are fewer where the machine has no processors for so many.
    """
    value = env.get(WORKERS) or os.environ.get(WORKERS)
    if not value:
        return max(1, min(DEFAULT_WORKERS, _most() // max(1, replicas)))
    if not value.isdecimal() or not 1 <= int(value) <= _most():
        raise LaunchError(f"{WORKERS} is {value!r}: it must be a number from 1 to {_most()} on this machine.")
    return int(value)


def background_niceness(env: Mapping[str, str]) -> int:
    """Return the niceness of workers and of the services behind them. Raises LaunchError for an invalid number."""
    value = env.get(NICENESS) or os.environ.get(NICENESS) or str(DEFAULT_NICENESS)
    if not value.isdecimal() or int(value) > 19:
        raise LaunchError(f"{NICENESS} is {value!r}: it must be a number from 0 to 19.")
    return int(value)


class WorkerPool:
    """The workers of the apps that have some. Threads may share it.

    `spec` returns how to start a worker, from its name, the name of its app, and its probe. `apps` are the names of the
    apps; new workers go to the one with the fewest. `added` is called with the name of each new worker.
    """

    def __init__(
        self,
        spec: Callable[[str, str, Probe], ProcessSpec],
        apps: Sequence[str],
        state_dir: Path,
        added: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._spec, self._apps, self._state_dir, self._added = spec, list(apps), state_dir, added
        self._guard = threading.Lock()
        self._workers: dict[str, _Worker] = {}

    @property
    def processes(self) -> dict[str, SupervisedProcess]:
        """Return the processes of the workers, by name."""
        return {name: worker.process for name, worker in list(self._workers.items())}

    def of(self, app: str) -> list[SupervisedProcess]:
        """Return the workers of an app."""
        return [worker.process for worker in list(self._workers.values()) if worker.app == app]

    def start(self, count: int) -> list[str]:
        """Start more workers, and return their names. Raises LaunchError when the machine has no room for them."""
        with self._guard:
            if not self._apps:
                raise LaunchError("No app has workers.")
            _require_room(len(self._workers), count, len(self._apps))
            return [self._start(name) for name in _free_names(self._workers, count)]

    def _start(self, name: str) -> str:
        loads = {app: sum(worker.app == app for worker in self._workers.values()) for app in self._apps}
        app, probe = min(self._apps, key=lambda each: loads[each]), Probe()
        self._workers[name] = _Worker(SupervisedProcess(self._spec(name, app, probe), self._state_dir), app, probe)
        self._added(name)
        return name

    def stop(self, name: str) -> None:
        """Stop a worker gracefully: it delivers the results of its activities first. Raises LaunchError."""
        with self._guard:
            worker = self._workers.pop(name, None)
            if worker is None:
                raise LaunchError(f"There is no worker {name!r}. Workers: {', '.join(self._workers) or 'none'}.")
        stop_supervised([worker.process], _STOP_GRACE_S)

    def statuses(self) -> list[dict[str, Any]]:
        """Return each worker with its version, process id, start time in seconds since 1970, and state."""
        workers = sorted(self._workers.items(), key=lambda item: _number(item[0]))
        return [_status(name, worker) for name, worker in workers]


def worker_spec(
    name: str,
    command: Sequence[str],
    probe: Probe,
    env: Mapping[str, str],
    cwd: Path,
    fatal_exit_code: int,
    *,
    inherit_output: bool = False,
) -> ProcessSpec:
    """Return how to start a worker."""
    return ProcessSpec(
        name=name,
        command=list(command),
        answers=probe.answers,
        ready=lambda: probe.headers.get("worker-state") == "running",
        probe=probe,
        env={**env, "WORKER_NAME": name},
        cwd=cwd,
        fatal_exit_code=fatal_exit_code,
        niceness=background_niceness(env),
        inherit_output=inherit_output,
    )


def _status(name: str, worker: _Worker) -> dict[str, Any]:
    process, headers = worker.process, worker.probe.headers
    state = headers.get("worker-state", "starting") if process.pid else "restarting"
    return {
        "name": name,
        "version": headers.get("worker-version", ""),
        "processId": process.pid,
        "since": time.time() - (time.monotonic() - process.started_at),
        "state": "failed" if process.failure else state,
        "app": worker.app,
    }


def _number(name: str) -> int:
    return int(name.rpartition("-")[2])


def _free_names(taken: Mapping[str, object], count: int) -> list[str]:
    names = (f"worker-{number}" for number in range(1, len(taken) + count + 1))
    return [name for name in names if name not in taken][:count]


def _most() -> int:
    """Return how many workers this machine may run."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return _PER_PROCESSOR * processors


def _require_room(running: int, count: int, apps: int) -> None:
    """Raise LaunchError when this machine has too few processors or too little memory for more workers.

    Each app may have a worker on every machine.
    """
    most = max(_most(), apps)
    if count < 1:
        raise LaunchError("The number of workers to start must be at least 1.")
    if running + count > most:
        raise LaunchError(
            f"{running} workers run, and this machine has processors for at most {most}: "
            f"{_PER_PROCESSOR} workers for each processor."
        )
    free = _free_memory()
    if free is not None and free < count * _MEMORY_EACH:
        megabytes = 1024 * 1024
        raise LaunchError(
            f"{count} more workers need about {count * _MEMORY_EACH // megabytes} MB of memory, "
            f"and {free // megabytes} MB are available."
        )


def _free_memory() -> int | None:
    """Return the available memory in bytes, or None where this is unknown, as on macOS."""
    with suppress(OSError):
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None
