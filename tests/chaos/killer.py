"""Carries out a plan: kills processes with SIGKILL, and sees that they are started again."""

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

_BACK_WITHIN = 60.0
_POLL = 0.05


class NotBackError(Exception):
    """Supervision did not bring a process back."""


@dataclass
class Killer:
    """Kills processes of a stack; counts blows by victim, and processes, and writes down when each blow was."""

    stack: Stack
    by_victim: Counter[str] = field(default_factory=Counter)
    blows: int = 0
    processes: int = 0
    diary: list[str] = field(default_factory=list)

    def strike(self, kill: Kill) -> float:
        """Wait, kill, and return when that was, by the wall clock."""
        time.sleep(kill.pause)
        if kill.power_cut:
            return self._cut(kill)
        if kill.condition:
            Conditions(self.stack.state_dir).bring(kill.condition)
            self._count(kill.victims, at := time.time())
            return at
        pids = [self._pid(name) for name in kill.victims]
        at = time.time()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it ended by itself a moment ago, as a service does whose sidecar is gone
            self.processes += 1
        self._count(kill.victims, at)
        return at

    def wait_ready(self) -> None:
        """Wait until supervision has brought everything back. Raises NotBackError."""
        deadline = time.monotonic() + _BACK_WITHIN
        while any(self.stack.pid(name) is None for name in self.stack.names()):
            self._check(deadline, "everything")
            time.sleep(_POLL)
        self.stack.wait_ready(_BACK_WITHIN)

    def _cut(self, kill: Kill) -> float:
        running = sum(self.stack.pid(name) is not None for name in self.stack.names())
        at = time.time()
        power_cut(self.stack)
        self.processes += running
        self._count(kill.victims, at)
        self.stack.start()
        return at

    def _pid(self, name: str) -> int:
        """Return the process id, waiting for a process that an earlier blow has just ended."""
        deadline = time.monotonic() + _BACK_WITHIN
        while (pid := self.stack.pid(name)) is None:
            self._check(deadline, name)
            time.sleep(_POLL)
        return pid

    def _check(self, deadline: float, name: str) -> None:
        if sentence := self.stack.dead():
            raise NotBackError(sentence)
        if time.monotonic() > deadline:
            raise NotBackError(f"{name} was not started again within {_BACK_WITHIN:.0f} s")

    def _count(self, victims: Sequence[str], at: float) -> None:
        self.blows += 1
        moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
        self.diary.append(f"{moment} {' and '.join(victims)}")
        self.by_victim.update(victims)
