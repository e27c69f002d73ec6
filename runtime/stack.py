"""The whole system as one object: `make run` has one, an end-to-end test session its own on other ports."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from runtime import prerequisites
from runtime.apps import Apps, Pids
from runtime.children import Child
from runtime.dapr import Dapr, ensure_dapr
from runtime.errors import LaunchError
from runtime.paths import DEFAULT_STATE, ROOT
from runtime.ports import ControlPorts, require_free
from runtime.state import StateFolder
from runtime.template import App, read_apps, write_shifted

READY_TIMEOUT_S = 90.0


@dataclass
class Stack:
    """Redis, placement, scheduler and the apps of a run template, on one state folder.

    `port_offset` moves every port, and then nothing that runs already is used; `env` is added to the apps'
    environment; `console` shows what `dapr run` prints, the apps' logs among it, instead of writing it to a file.
    """

    root: Path = ROOT
    state_dir: Path = DEFAULT_STATE
    port_offset: int = 0
    env: Mapping[str, str] | None = None
    run_template: Path | None = None
    console: bool = False

    def __post_init__(self) -> None:
        """Prepare what start() fills; nothing runs yet."""
        self.ports = ControlPorts().shifted(self.port_offset)
        self._template = self.run_template or self.root / "dapr.yaml"
        self._services: list[Child] = []
        self._apps: Apps | None = None
        self._state = StateFolder(self.state_dir)

    def __enter__(self) -> Self:
        """Start everything and wait until it is ready."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything."""
        self.stop()

    @property
    def started(self) -> bool:
        """Tell whether anything may be running that stop() would stop."""
        return self._state.taken

    @property
    def logs(self) -> Path:
        """Return the folder of the log files of Redis, placement, scheduler and the Dapr CLI."""
        return self.state_dir / "logs"

    def start(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Start everything and wait until every app is ready; when that fails, leave nothing running."""
        try:
            dapr = self.start_services(also_free=self._app_ports())
            self._start_apps(dapr)
            assert self._apps is not None  # noqa: S101 - tells mypy what the line above did
            self._apps.wait_ready(timeout_s)
        except BaseException:
            self.stop()
            raise

    def start_services(self, also_free: Mapping[str, int] | None = None) -> Dapr:
        """Start Redis, placement and scheduler where they do not run yet, after a look at every port."""
        self._state.take()
        # Only at the usual ports may somebody else's services be used: a test wants its own.
        running = prerequisites.already_running(self.ports) if self.port_offset == 0 else set()
        names = [name for name in prerequisites.SERVICES if name not in running]
        wanted = {label: port for name in names for label, port in self.ports.of(name).items()}
        require_free(wanted | dict(also_free or {}))
        dapr = ensure_dapr(control_plane=not {"placement", "scheduler"} <= running)
        prerequisites.say_what_is_used(running, self.ports)
        self._services = prerequisites.start(dapr, self.ports, self.state_dir, names)
        return dapr

    def stop(self) -> None:
        """Stop everything that this object started, the apps first; the data stay."""
        if self._apps is not None:
            self._apps.stop()
            self._apps = None
        while self._services:
            # Last started, first stopped: Redis goes when nobody writes any more.
            self._services.pop().stop()
        self._state.leave()

    def dead(self) -> str | None:
        """Return a sentence about something that ended by itself, None while all is well."""
        for child in self._services:
            if child.ended():
                return child.epitaph()
        return self._apps.dead() if self._apps is not None else None

    def address(self, app_id: str) -> str:
        """Return where an app answers, such as http://127.0.0.1:3000."""
        return self._app(app_id).address

    def sidecar_address(self, app_id: str) -> str:
        """Return where an app's sidecar answers over HTTP."""
        return self._app(app_id).sidecar_address

    def pid_of(self, app_id: str) -> Pids:
        """Return the process ids of an app and of its sidecar, None for one that does not run."""
        return self._apps.pids(app_id) if self._apps is not None else Pids(None, None)

    def log_of(self, app_id: str, *, sidecar: bool = False) -> Path | None:
        """Return the log file of an app or of its sidecar, None when they do not run."""
        return self._apps.log("daprd" if sidecar else "app", app_id) if self._apps is not None else None

    def service_pid(self, name: str) -> int | None:
        """Return the process id of `redis`, `placement` or `scheduler`, None when it is not ours."""
        return next((child.pid for child in self._services if child.name == name), None)

    def apps(self) -> list[App]:
        """Return the apps with their ports as they run here."""
        return [
            App(app.app_id, {key: port + self.port_offset for key, port in app.ports.items()})
            for app in read_apps(self._template)
        ]

    def _app(self, app_id: str) -> App:
        """Return one app of the template."""
        for app in self.apps():
            if app.app_id == app_id:
                return app
        raise LaunchError(f"The run template has no app {app_id}.")

    def _app_ports(self) -> dict[str, int]:
        """Return every port of the apps and their sidecars, each by what it is called to a person."""
        return {name: port for app in self.apps() for name, port in app.named_ports().items()}

    def _start_apps(self, dapr: Dapr) -> None:
        """Start the run template as it is, or its copy on other ports that logs into the state folder."""
        template, env = self._template, dict(self.env or {})
        if self.port_offset or template.parent != self.root:
            template = write_shifted(self._template, self.root, self.state_dir, self.port_offset)
            env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(self.root), os.environ.get("PYTHONPATH")]))
        self._apps = Apps(dapr, template, self.apps(), self.state_dir, env, console=self.console)


def watch(stack: Stack, seconds: float = 2.0) -> None:
    """Wait for ever, until something ends by itself: then fail with a sentence about it."""
    while (sentence := stack.dead()) is None:
        time.sleep(seconds)
    raise LaunchError(sentence)
