"""The whole system as one object, for `make run` and, on other ports, for the end-to-end tests."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from launcher.console import print_line
from launcher.errors import LaunchError
from launcher.paths import DEFAULT_STATE, ROOT
from launcher.ports import ControlPorts, require_free
from launcher.setup.dapr import Dapr, ensure_dapr
from launcher.supervision import reaper
from launcher.supervision.child_process import log_file
from launcher.supervision.log_follower import LogFollower
from launcher.supervision.supervisor import SupervisedProcess
from launcher.system import control_plane
from launcher.system.apps import Apps, Tokens
from launcher.system.state_folder import StateFolder
from launcher.system.template import App, read_template, with_replicas, write_shifted
from launcher.system.worker_control import WorkerControl
from services.common.encryption import key_file
from services.common.encryption.key_file import CURRENT, DEFAULT_KEYS_FILE, KEY_ID, KEYS_FILE

READY_TIMEOUT_S = 90.0


@dataclass
class Stack:
    """Redis, placement, scheduler and the apps of a run template with their sidecars, on one state folder.

    All processes are supervised: they are restarted when they exit. `port_offset` shifts every port, and services that
    are already running are not reused then. `env` is added to the apps' environment. `replicas` is the replica count by
    app id. `console` shows log lines of the apps. With `encrypted` the apps encrypt their data with a key that is
    generated at the first start, unless the environment or `env` names other keys.
    """

    root: Path = ROOT
    state_dir: Path = DEFAULT_STATE
    port_offset: int = 0
    env: Mapping[str, str] | None = None
    run_template: Path | None = None
    console: bool = False
    replicas: Mapping[str, int] | None = None
    encrypted: bool = True

    def __post_init__(self) -> None:
        """Prepare the fields that start() fills. Starts no process."""
        self.ports = ControlPorts().shifted(self.port_offset)
        self._template = self.run_template or self.root / "dapr.yaml"
        self._services: list[SupervisedProcess] = []
        self._apps: Apps | None = None
        self._control: WorkerControl | None = None
        self._follower: LogFollower | None = None
        self._state = StateFolder(self.state_dir)

    def __enter__(self) -> Self:
        """Start the system and wait until it is ready."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the system."""
        self.stop()

    @property
    def started(self) -> bool:
        """Return whether stop() may have processes to stop."""
        return self._state.is_acquired

    @property
    def logs(self) -> Path:
        """Return the folder of the log files: each process has one for all its starts."""
        return self.state_dir / "logs"

    @property
    def keys_file(self) -> Path:
        """Return the file with the encryption keys of the apps."""
        return Path(os.environ.get(KEYS_FILE) or self.state_dir / "keys.json").resolve()

    def start(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Start the system and wait until every app is ready. On failure, stop all processes."""
        try:
            dapr = self.start_services(also_free=self._app_ports())
            self._start_apps(dapr)
            self.wait_ready(timeout_s)
        except BaseException:
            self.stop()
            raise

    def start_services(self, also_free: Mapping[str, int] | None = None) -> Dapr:
        """Check every port, then start Redis, placement and scheduler unless they are already running."""
        reaper.ensure()
        self._state.acquire()
        # Running services are reused on the default ports only. Tests need their own.
        running = control_plane.already_running(self.ports) if self.port_offset == 0 else set()
        names = [name for name in control_plane.SERVICES if name not in running]
        wanted = {label: port for name in names for label, port in self.ports.of(name).items()}
        require_free(wanted | dict(also_free or {}))
        dapr = ensure_dapr(control_plane=not {"placement", "scheduler"} <= running)
        control_plane.report_reused_services(running, self.ports)
        self._services = control_plane.start(dapr, self.ports, self.state_dir, names)
        return dapr

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until every process is up and every app is ready. Raises LaunchError on failure or timeout."""
        for service in self._services:
            service.wait_up(timeout_s)
        if self._apps is not None:
            self._apps.wait_ready(timeout_s)

    def stop_supervising(self) -> None:
        """Restart no process from now on. Running processes continue until stop()."""
        for process in self._processes().values():
            process.release()

    @contextmanager
    def without(self, *names: str) -> Iterator[None]:
        """Kill processes as a crash does, and keep them stopped while the block runs."""
        with ExitStack() as down:
            for name in names:
                down.enter_context(self._processes()[name].stopped(kill=True))
            yield

    def restart(self, app_ids: set[str]) -> None:
        """Restart these apps with their sidecars and workers, one replica at a time (a rolling restart)."""
        if self._apps is not None:
            self._apps.restart(app_ids)

    def stop(self) -> None:
        """Stop all processes that this object started, the apps first, within about ten seconds. The data stays."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._apps is not None:
            self._apps.stop()
            self._apps = None
        control_plane.stop(self._services)
        if self._follower is not None:
            self._follower.stop()
            self._follower = None
        self._state.release()

    def failure(self) -> str | None:
        """Return why a process is no longer restarted, or None while all processes are supervised.

        Failures of a requested restart do not count. Their message goes to the caller.
        """
        excluded = self._apps.failed_restarts if self._apps is not None else set[str]()
        return next(
            (
                process.failure
                for name, process in self._processes().items()
                if process.failure and name not in excluded
            ),
            None,
        )

    def names(self) -> list[str]:
        """Return the names of all processes, such as `redis`, `billing` and `billing sidecar`."""
        return list(self._processes())

    @property
    def workers(self) -> list[str]:
        """Return the names of the workers, such as `worker-1`."""
        return list(self._apps.workers.processes) if self._apps is not None else []

    def workers_of(self, name: str) -> list[str]:
        """Return the names of the workers of an app or a replica."""
        return [process.name for process in self._apps.workers.of(name)] if self._apps is not None else []

    def pid(self, name: str) -> int | None:
        """Return the process id of a process, or None while it is down or was not started here."""
        process = self._processes().get(name)
        return process.pid if process else None

    @property
    def last_start(self) -> float:
        """Return the time of the latest start of any process, by the monotonic clock."""
        return max(process.started_at for process in self._processes().values())

    def address(self, name: str) -> str:
        """Return the address of an app, or of a replica such as `orderprocessing-2`."""
        return self._app(name).address

    def sidecar_address(self, name: str) -> str:
        """Return the HTTP address of an app's sidecar."""
        return self._app(name).sidecar_address

    def tokens(self, name: str) -> Tokens:
        """Return the tokens of a running app or replica."""
        if self._apps is None:
            raise LaunchError("The system is not running.")
        return self._apps.tokens[name]

    def log_of(self, name: str) -> Path:
        """Return the log file of a process."""
        return log_file(self.state_dir, name)

    def apps(self) -> list[App]:
        """Return the apps and their replicas, with their actual ports."""
        apps = [app.shifted(self.port_offset, app.name) for app in read_template(self._template).apps]
        return with_replicas(apps, dict(self.replicas or {}))

    def _processes(self) -> dict[str, SupervisedProcess]:
        return {process.name: process for process in self._services} | (self._apps.processes if self._apps else {})

    def _app(self, name: str) -> App:
        for app in self.apps():
            if app.name == name:
                return app
        raise LaunchError(f"There is no app {name}.")

    def _app_ports(self) -> dict[str, int]:
        """Return every port of the apps and their sidecars, by display name."""
        return {name: port for app in self.apps() for name, port in app.named_ports().items()}

    def _encryption(self) -> dict[str, str]:
        """Return the encryption settings of the apps. Generates a key if there is none.

        With an empty ENCRYPTION_KEY_ID the apps encrypt nothing but still decrypt existing data.
        """
        if not self.encrypted:
            return {}
        settings = key_file.settings(os.environ, self.state_dir / "keys.json")
        path = settings.get(KEYS_FILE)
        if path and settings[KEY_ID] == CURRENT and key_file.ensure(Path(path)):
            print_line(f"Generated an encryption key: {path}. Without it the data cannot be read.")
        return settings

    def _start_apps(self, dapr: Dapr) -> None:
        """Start the apps of the run template, or of its copy on other ports."""
        # The template's default key file is for `dapr run`. `_encryption` decides here.
        path, env = self._template, {DEFAULT_KEYS_FILE: "", **self._encryption(), **(self.env or {})}
        if self.port_offset or path.parent != self.root:
            path = write_shifted(self._template, self.root, self.state_dir, self.port_offset)
            env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(self.root), os.environ.get("PYTHONPATH")]))
        if self.console:
            logs = {app.name: self.log_of(app.name) for app in self.apps()}
            level = env.get("LOG_LEVEL") or os.environ.get("LOG_LEVEL")
            self._follower = LogFollower(logs, everything=level == "DEBUG")
        # The name registry of the sidecars (see components/config.yaml).
        (path.parent / ".dapr").mkdir(exist_ok=True)
        template = read_template(path)
        apps = with_replicas(template.apps, dict(self.replicas or {}))
        self._apps = Apps(dapr, template, apps, self.state_dir, env, self._follow)
        if self.workers:
            self._control = WorkerControl(self._apps.workers, self.state_dir)

    def _follow(self, name: str) -> None:
        """Show the log lines of a new worker, if log lines are shown."""
        if self._follower is not None:
            self._follower.add(name, self.log_of(name))
