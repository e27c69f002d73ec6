"""Executes a plan: kills processes with SIGKILL, and checks that the supervisor restarts them."""

import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from launcher.system.stack import Stack
from tests.chaos.conditions import Conditions
from tests.chaos.plan import Kill
from tests.e2e.crashes import power_cut

_RESTART_TIMEOUT_S = 60.0
_POLL = 0.05


class NotRestartedError(Exception):
    """The supervisor did not restart a process."""


@dataclass
class Killer:
    """Kills processes of a system. Counts kills by victim, counts processes, and logs the time of each kill."""

    stack: Stack
    by_victim: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    processes: int = 0
    kill_log: list[str] = field(default_factory=list)

    def execute(self, kill: Kill) -> float:
        """Wait, kill, and return the wall-clock time of the kill."""
        time.sleep(kill.pause)
        if kill.power_cut:
            return self._cut_power(kill)
        if kill.condition:
            Conditions(self.stack.state_dir, self._pids).cause(kill.condition)
            self._count(kill.victims, at := time.time())
            return at
        pids = [self._pid(name) for name in kill.victims]
        at = time.time()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it has just exited, as a service does when its sidecar is gone
            self.processes += 1
        self._count(kill.victims, at)
        return at

    def wait_ready(self) -> None:
        """Wait until all processes are restarted and ready. Raises NotRestartedError."""
        deadline = time.monotonic() + _RESTART_TIMEOUT_S
        while any(self.stack.pid(name) is None for name in self.stack.names()):
            self._check(deadline, "everything")
            time.sleep(_POLL)
        self.stack.wait_ready(_RESTART_TIMEOUT_S)

    def _cut_power(self, kill: Kill) -> float:
        running = sum(self.stack.pid(name) is not None for name in self.stack.names())
        at = time.time()
        power_cut(self.stack)
        self.processes += running
        self._count(kill.victims, at)
        self.stack.start()
        return at

    def _pid(self, name: str) -> int:
        """Return the process id. Waits for the restart of a process that was just killed."""
        deadline = time.monotonic() + _RESTART_TIMEOUT_S
        while (pid := self.stack.pid(name)) is None:
            self._check(deadline, name)
            time.sleep(_POLL)
        return pid

    def _pids(self) -> list[int]:
        """Return the ids of all running processes."""
        return [pid for name in self.stack.names() if (pid := self.stack.pid(name)) is not None]

    def _check(self, deadline: float, name: str) -> None:
        if failure := self.stack.failure():
            raise NotRestartedError(failure)
        if time.monotonic() > deadline:
            raise NotRestartedError(f"{name} was not restarted within {_RESTART_TIMEOUT_S:.0f} s")

    def _count(self, victims: Sequence[str], at: float) -> None:
        self.kills += 1
        moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
        self.kill_log.append(f"{moment} {' and '.join(victims)}")
        self.by_victim.update(victims)
