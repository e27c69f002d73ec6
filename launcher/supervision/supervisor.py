"""Keeps one process alive: what ends by itself is started again, and said; what cannot start is given up."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from launcher.console import say, tail
from launcher.errors import LaunchError
from launcher.supervision.child_process import Child
from launcher.supervision.probe import PROBE_FD, Probe
from launcher.supervision.processes import end

TRIES = 8
"""How often in a row a process may end before it has answered once."""
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0
SILENT_S = 60.0
"""A process that lives but answers nobody for so long is killed, and so started again."""
POLL_S = 0.2
PROBE_S = 5.0
GRACE_S = 15.0


@dataclass(frozen=True)
class ProcessSpec:
    """How to start a process, and how it shows that it is up."""

    name: str
    command: list[str | Path]
    answers: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    fatal_exit_code: int | None = None
    """Exit code that says: trying again would change nothing."""
    probe: Probe | None = None
    """Over what `answers` asks, if that is to be made anew at each start."""


class SupervisedProcess:
    """A process under supervision, from its first start until stop()."""

    def __init__(self, plan: ProcessSpec, state_dir: Path) -> None:
        self.name = plan.name
        self._plan, self._state_dir = plan, state_dir
        self._leaving = threading.Event()
        self._may_run = threading.Event()
        self._may_run.set()
        self._asked = False
        self._is_up = self._failed = False
        self._begin()

    def _begin(self) -> None:
        self._given_up = ""
        self._child = self._start()
        self._thread = threading.Thread(target=self._keep, name=f"keeper of {self.name}", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Return the process id, None while it does not run."""
        return None if self._child.ended() else self._child.pid

    @property
    def log(self) -> Path:
        """Return the log file, the same one for every start."""
        return self._child.log

    @property
    def is_up(self) -> bool:
        """Tell whether the process runs and has answered since it was started."""
        return self._is_up and not self._child.ended()

    @property
    def given_up(self) -> str:
        """Return the sentence that says why the process is not started any more; empty while it is kept."""
        return self._given_up

    def wait_up(self, seconds: float) -> None:
        """Wait until the process answers. Raises LaunchError when it is given up or takes too long."""
        deadline = time.monotonic() + seconds
        while not self.is_up:
            if self._given_up:
                raise LaunchError(self._given_up)
            if time.monotonic() > deadline:
                raise LaunchError(f"{self.name} did not answer within {seconds:.0f} s; see {self.log}.{self._tail()}")
            time.sleep(POLL_S)

    @contextmanager
    def stopped(self, *, at_once: bool = False) -> Iterator[None]:
        """End the process, in an orderly way or `at_once` like a crash, and start it anew when the block is left."""
        self._may_run.clear()
        self._asked = True
        if at_once:
            self._child.kill()
        else:
            self._child.stop(GRACE_S)
        try:
            yield
        finally:
            self._may_run.set()
            if self._given_up:
                self._begin()

    def leave(self) -> None:
        """Stop keeping: the process, if it runs, is the caller's to end."""
        self._leaving.set()
        self._thread.join()
        if self._plan.probe is not None:
            self._plan.probe.close()

    def _start(self) -> Child:
        self.started_at = time.monotonic()
        plan = self._plan
        with plan.probe.opened() if plan.probe else nullcontext() as end:
            ends, env = ([], plan.env) if end is None else ([end], {**plan.env, PROBE_FD: str(end)})
            return Child(plan.name, plan.command, self._state_dir, env=env, cwd=plan.cwd, descriptors=ends)

    def _keep(self) -> None:
        failures = 0
        while self._attend():
            failures = 0 if self._is_up or self._asked else failures + 1
            self._is_up = False
            if not self._asked:
                if self._is_hopeless(failures):
                    return
                pause = min(FIRST_PAUSE_S * 2.0 ** max(failures - 1, 0), LONGEST_PAUSE_S)
                self._failed = True
                say(f"{self.name} {self._child.how_it_ended()}; starting it again in {pause:g} s.")
                if self._leaving.wait(pause):
                    return
            self._may_run.wait()
            self._asked = False
            try:
                self._child = self._start()
            except OSError as error:  # such as no memory: it may be there in a while
                say(f"{self.name} cannot be started: {error}")

    def _attend(self) -> bool:
        """Watch the process until it has ended; False when there is nothing more to keep."""
        heard = time.monotonic()
        next_probe = 0.0
        while not self._child.ended():
            now = time.monotonic()
            if now >= next_probe:
                if self._plan.answers():
                    if self._failed and not self._is_up:
                        say(f"{self.name} runs again.")
                    self._is_up, self._failed, heard = True, False, time.monotonic()
                elif now - heard > SILENT_S:
                    say(f"{self.name} has not answered for {SILENT_S:.0f} s and is killed.")
                    self._child.kill()
                next_probe = now + (PROBE_S if self._is_up else POLL_S)
            if self._leaving.wait(POLL_S):
                return False
        return not self._leaving.is_set()

    def _is_hopeless(self, failures: int) -> bool:
        if self._plan.fatal_exit_code is not None and self._child.exit_code == self._plan.fatal_exit_code:
            self._given_up = f"{self.name} cannot run with its configuration.{self._tail()}"
        elif failures >= TRIES:
            how = self._child.how_it_ended()
            self._given_up = f"{self.name} {how}, {failures} times in a row before it was up.{self._tail()}"
        return bool(self._given_up)

    def _tail(self) -> str:
        return f"\nThe end of {self.log}:\n{tail(self.log)}"


def stop_supervised(some: list[SupervisedProcess], grace_s: float) -> None:
    """Stop keeping these processes and end them, all at once, with time to finish what they do."""
    for kept in some:
        kept.leave()
    end([kept.pid for kept in some if kept.pid is not None], grace_s)
