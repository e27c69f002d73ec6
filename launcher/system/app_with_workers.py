"""An app and its workers under one sidecar, for `dapr run`, which starts only one command for each sidecar."""

import os
import sys
import time
from pathlib import Path

from launcher.console import print_line
from launcher.errors import LaunchError
from launcher.paths import DEFAULT_STATE
from launcher.supervision.probe import Probe
from launcher.supervision.supervisor import ProcessSpec, SupervisedProcess, stop_supervised
from launcher.system.apps import BAD_CONFIGURATION, STOP_GRACE_S
from launcher.system.worker_control import WorkerControl
from launcher.system.workers import WorkerPool, wanted_workers, worker_spec

POLL_S = 0.5


class AppWithWorkers:
    """The processes of an app and its workers. They write to the output of this process.

    `module` and `worker_module` are Python modules.
    """

    def __init__(self, module: str, worker_module: str, state_dir: Path = DEFAULT_STATE) -> None:
        """Start the processes."""
        name, cwd = os.environ.get("APP_ID", module), Path.cwd()
        # A folder of their own: processes that are marked with the state folder itself belong to `make run`.
        mark, command = state_dir / "dapr-run", [sys.executable, "-m", worker_module]
        count, probe = wanted_workers({}), Probe()
        self._app = SupervisedProcess(
            ProcessSpec(
                name,
                [sys.executable, "-m", module],
                probe.answers,
                cwd=cwd,
                fatal_exit_code=BAD_CONFIGURATION,
                probe=probe,
                inherit_output=True,
            ),
            mark,
        )
        self._pool = WorkerPool(
            lambda worker, _app, probe: worker_spec(
                worker, command, probe, {}, cwd, BAD_CONFIGURATION, inherit_output=True
            ),
            [name],
            mark,
        )
        self._pool.start(count)
        self._control = WorkerControl(self._pool, state_dir)

    def wait(self) -> None:
        """Wait until a process fails for good, or the parent process ends. Raises LaunchError with the reason."""
        parent = os.getppid()
        while os.getppid() == parent:
            if failure := next((process.failure for process in self._processes() if process.failure), ""):
                raise LaunchError(failure)
            time.sleep(POLL_S)
        print_line("The program that started this one has ended.")

    def stop(self) -> None:
        """Stop all processes, each with a grace period."""
        self._control.close()
        stop_supervised(self._processes(), STOP_GRACE_S)

    def _processes(self) -> list[SupervisedProcess]:
        return [self._app, *self._pool.processes.values()]
