"""Supervisor of one process: restarts it when it exits or hangs, and stops after repeated failures."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from launcher.console import print_line, tail
from launcher.errors import LaunchError
from launcher.supervision.child_process import Child
from launcher.supervision.probe import PROBE_FD, Probe
from launcher.supervision.processes import terminate

MAX_START_ATTEMPTS = 8
"""How many times in a row a process may exit before it has answered once."""
INITIAL_BACKOFF_S = 0.5
MAX_BACKOFF_S = 15.0
HANG_TIMEOUT_S = 60.0
"""A running process that does not answer for this long is killed and restarted."""
POLL_S = 0.2
PROBE_INTERVAL_S = 5.0
GRACE_S = 15.0


@dataclass(frozen=True)
class ProcessSpec:
    """How to start a process and how to check that it is up."""

    name: str
    command: list[str | Path]
    answers: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    fatal_exit_code: int | None = None
    """Exit code after which the process is not restarted."""
    probe: Probe | None = None
    """The probe behind `answers`, if it has to be renewed at each start."""
    ready: Callable[[], bool] = lambda: True
    """Whether the process, which answers, is ready for work, as of its last answer. Until then it is asked often."""
    niceness: int = 0
    """How much lower its priority for the processor is than that of the launcher: 0 to 19."""
    inherit_output: bool = False
    """Whether the process writes to the launcher's output instead of a log file."""


class SupervisedProcess:
    """A process under supervision, from its first start until release()."""

    def __init__(self, spec: ProcessSpec, state_dir: Path) -> None:
        self.name = spec.name
        self._spec, self._state_dir = spec, state_dir
        self._released = threading.Event()
        self._may_run = threading.Event()
        self._may_run.set()
        self._restart_requested = False
        self._is_up = self._has_failed = False
        self._start_supervision()

    def _start_supervision(self) -> None:
        self._failure = ""
        self._child = self._start()
        self._thread = threading.Thread(target=self._supervise, name=f"supervisor of {self.name}", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Return the process id, None while the process is not running."""
        return None if self._child.ended() else self._child.pid

    @property
    def log(self) -> Path:
        """Return the log file, which all starts share."""
        return self._child.log

    @property
    def is_up(self) -> bool:
        """Return whether the process is running and has answered since its last start."""
        return self._is_up and not self._child.ended()

    @property
    def is_ready(self) -> bool:
        """Return whether the process is up and ready for work."""
        return self.is_up and self._spec.ready()

    @property
    def failure(self) -> str:
        """Return why the process is no longer restarted, or an empty string while it is supervised."""
        return self._failure

    def wait_up(self, seconds: float) -> None:
        """Wait until the process answers. Raises LaunchError when it fails for good or takes too long."""
        deadline = time.monotonic() + seconds
        while not self.is_up:
            if self._failure:
                raise LaunchError(self._failure)
            if time.monotonic() > deadline:
                raise LaunchError(f"{self.name} did not answer within {seconds:.0f} s. See {self.log}.{self._tail()}")
            time.sleep(POLL_S)

    @contextmanager
    def stopped(self, *, kill: bool = False) -> Iterator[None]:
        """Stop the process, or `kill` it as a crash does, for the duration of the block."""
        self._may_run.clear()
        self._restart_requested = True
        if kill:
            self._child.kill()
        else:
            self._child.stop(GRACE_S)
        try:
            yield
        finally:
            self._may_run.set()
            if self._failure:
                self._start_supervision()

    def release(self) -> None:
        """Stop supervising. The caller ends the process if it is still running."""
        self._released.set()
        self._thread.join()
        if self._spec.probe is not None:
            self._spec.probe.close()

    def _start(self) -> Child:
        self.started_at = time.monotonic()
        spec = self._spec
        with spec.probe.opened() if spec.probe else nullcontext() as descriptor:
            inherited, env = (
                ([], spec.env) if descriptor is None else ([descriptor], {**spec.env, PROBE_FD: str(descriptor)})
            )
            return Child(
                spec.name,
                [*(("nice", "-n", str(spec.niceness)) if spec.niceness else ()), *spec.command],
                self._state_dir,
                env=env,
                cwd=spec.cwd,
                descriptors=inherited,
                inherit_output=spec.inherit_output,
            )

    def _supervise(self) -> None:
        failures = 0
        while self._monitor():
            failures = 0 if self._is_up or self._restart_requested else failures + 1
            self._is_up = False
            if not self._restart_requested:
                if self._gives_up(failures):
                    return
                pause = min(INITIAL_BACKOFF_S * 2.0 ** max(failures - 1, 0), MAX_BACKOFF_S)
                self._has_failed = True
                print_line(f"{self.name} {self._child.how_it_ended()}; restarting it in {pause:g} s.")
                if self._released.wait(pause):
                    return
            self._may_run.wait()
            self._restart_requested = False
            try:
                self._child = self._start()
            except OSError as error:  # such as a lack of memory, which may pass
                print_line(f"{self.name} cannot be started: {error}")

    def _monitor(self) -> bool:
        """Watch the process until it ends. Return False when supervision has been released."""
        last_answer = time.monotonic()
        next_probe = 0.0
        while not self._child.ended():
            now = time.monotonic()
            if now >= next_probe:
                if self._spec.answers():
                    if self._has_failed and not self._is_up:
                        print_line(f"{self.name} is running again.")
                    self._is_up, self._has_failed, last_answer = True, False, time.monotonic()
                elif now - last_answer > HANG_TIMEOUT_S:
                    print_line(f"{self.name} has not answered for {HANG_TIMEOUT_S:.0f} s; killing it.")
                    self._child.kill()
                next_probe = now + (PROBE_INTERVAL_S if self.is_ready else POLL_S)
            if self._released.wait(POLL_S):
                return False
        return not self._released.is_set()

    def _gives_up(self, failures: int) -> bool:
        if self._spec.fatal_exit_code is not None and self._child.exit_code == self._spec.fatal_exit_code:
            self._failure = f"{self.name} cannot run with this configuration.{self._tail()}"
        elif failures >= MAX_START_ATTEMPTS:
            how = self._child.how_it_ended()
            self._failure = f"{self.name} {how} {failures} times in a row before it was up.{self._tail()}"
        return bool(self._failure)

    def _tail(self) -> str:
        return "" if self._spec.inherit_output else f"\nThe end of {self.log}:\n{tail(self.log)}"


def stop_supervised(processes: list[SupervisedProcess], grace_s: float) -> None:
    """Stop supervising the processes, and terminate all of them at the same time with a grace period."""
    for process in processes:
        process.release()
    terminate([process.pid for process in processes if process.pid is not None], grace_s)
