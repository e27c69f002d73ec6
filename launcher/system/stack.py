"""The whole system as one object: `make run` has one, an end-to-end test session its own on other ports."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from launcher.console import say
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
from services.common.encryption import key_file
from services.common.encryption.key_file import CURRENT, DEFAULT_KEYS_FILE, KEY_ID, KEYS_FILE

READY_TIMEOUT_S = 90.0


@dataclass
class Stack:
    """Redis, placement, scheduler and the apps of a run template with their sidecars, on one state folder.

    All of them are kept alive: what ends by itself is started again. `port_offset` moves every port, and then nothing
    that runs already is used; `env` is added to the apps' environment; `replicas` says how many there are to be of an
    app, by its id; `console` shows what the apps log. `encrypted` has the apps seal what they keep, with a key that is
    made at the first start, unless the environment or `env` says by what.
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
        """Prepare what start() fills; nothing runs yet."""
        self.ports = ControlPorts().shifted(self.port_offset)
        self._template = self.run_template or self.root / "dapr.yaml"
        self._services: list[SupervisedProcess] = []
        self._apps: Apps | None = None
        self._follower: LogFollower | None = None
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
        """Return the folder of the log files: one for each process, kept over its restarts."""
        return self.state_dir / "logs"

    @property
    def keys_file(self) -> Path:
        """Return where the keys are that the apps seal with, once they were started so."""
        return Path(os.environ.get(KEYS_FILE) or self.state_dir / "keys.json").resolve()

    def start(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Start everything and wait until every app is ready; when that fails, leave nothing running."""
        try:
            dapr = self.start_services(also_free=self._app_ports())
            self._start_apps(dapr)
            self.wait_ready(timeout_s)
        except BaseException:
            self.stop()
            raise

    def start_services(self, also_free: Mapping[str, int] | None = None) -> Dapr:
        """Start Redis, placement and scheduler where they do not run yet, after a look at every port."""
        reaper.ensure()
        self._state.take()
        # Only at the usual ports may somebody else's services be used: a test wants its own.
        running = control_plane.already_running(self.ports) if self.port_offset == 0 else set()
        names = [name for name in control_plane.SERVICES if name not in running]
        wanted = {label: port for name in names for label, port in self.ports.of(name).items()}
        require_free(wanted | dict(also_free or {}))
        dapr = ensure_dapr(control_plane=not {"placement", "scheduler"} <= running)
        control_plane.say_what_is_used(running, self.ports)
        self._services = control_plane.start(dapr, self.ports, self.state_dir, names)
        return dapr

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until every process is up and every app ready. Raises LaunchError when that does not come."""
        for service in self._services:
            service.wait_up(timeout_s)
        if self._apps is not None:
            self._apps.wait_ready(timeout_s)

    def stop_supervising(self) -> None:
        """From now on start nothing again; what runs goes on running until stop()."""
        for kept in self._kept().values():
            kept.leave()

    @contextmanager
    def without(self, *names: str) -> Iterator[None]:
        """Kill processes as a crash does, and let none of them come back while the block runs."""
        with ExitStack() as down:
            for name in names:
                down.enter_context(self._kept()[name].stopped(at_once=True))
            yield

    def roll(self, app_ids: set[str]) -> None:
        """Restart these apps and their sidecars one after the other, replica after replica, without a break."""
        if self._apps is not None:
            self._apps.roll(app_ids)

    def stop(self) -> None:
        """Stop everything that this object started, the apps first, within about ten seconds; the data stay."""
        if self._apps is not None:
            self._apps.stop()
            self._apps = None
        control_plane.stop(self._services)
        if self._follower is not None:
            self._follower.stop()
            self._follower = None
        self._state.leave()

    def dead(self) -> str | None:
        """Return a sentence about something that is not started any more, None while all is kept alive.

        What a restart on purpose has broken does not count: whoever asked for it was told.
        """
        broken = self._apps.broken if self._apps is not None else set[str]()
        return next((one.given_up for name, one in self._kept().items() if one.given_up and name not in broken), None)

    def names(self) -> list[str]:
        """Return the names of all processes, such as `redis`, `billing` and `billing sidecar`."""
        return list(self._kept())

    def pid(self, name: str) -> int | None:
        """Return the process id behind a name, None while it is down or not ours."""
        kept = self._kept().get(name)
        return kept.pid if kept else None

    @property
    def last_start(self) -> float:
        """Return when a process was started last, by the monotonic clock."""
        return max(kept.started_at for kept in self._kept().values())

    def address(self, name: str) -> str:
        """Return where an app, or a further replica such as `orderprocessing-2`, answers."""
        return self._app(name).address

    def sidecar_address(self, name: str) -> str:
        """Return where an app's sidecar answers over HTTP."""
        return self._app(name).sidecar_address

    def tokens(self, name: str) -> Tokens:
        """Return the tokens of an app that runs here, or of a further replica."""
        if self._apps is None:
            raise LaunchError("Nothing runs.")
        return self._apps.tokens[name]

    def log_of(self, name: str) -> Path:
        """Return the log file of a process."""
        return log_file(self.state_dir, name)

    def apps(self) -> list[App]:
        """Return the apps, replicas among them, with their ports as they run here."""
        apps = [app.moved(self.port_offset, app.name) for app in read_template(self._template).apps]
        return with_replicas(apps, dict(self.replicas or {}))

    def _kept(self) -> dict[str, SupervisedProcess]:
        return {kept.name: kept for kept in self._services} | (self._apps.kept if self._apps else {})

    def _app(self, name: str) -> App:
        for app in self.apps():
            if app.name == name:
                return app
        raise LaunchError(f"There is no app {name}.")

    def _app_ports(self) -> dict[str, int]:
        """Return every port of the apps and their sidecars, each by what it is called to a person."""
        return {name: port for app in self.apps() for name, port in app.named_ports().items()}

    def _encryption(self) -> dict[str, str]:
        """Return what has the apps seal what they keep; the key is made now if there is none.

        Who sets ENCRYPTION_KEY_ID to nothing wants nothing sealed, but still to read what is.
        """
        if not self.encrypted:
            return {}
        settings = key_file.settings(os.environ, self.state_dir / "keys.json")
        path = settings.get(KEYS_FILE)
        if path and settings[KEY_ID] == CURRENT and key_file.ensure(Path(path)):
            say(f"A key to encrypt the data with was made: {path}. Without it they cannot be read.")
        return settings

    def _start_apps(self, dapr: Dapr) -> None:
        """Start what the run template describes, or its copy on other ports."""
        # The template's own default is for `dapr run`: here it is decided whether and with what to encrypt.
        path, env = self._template, {DEFAULT_KEYS_FILE: "", **self._encryption(), **(self.env or {})}
        if self.port_offset or path.parent != self.root:
            path = write_shifted(self._template, self.root, self.state_dir, self.port_offset)
            env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(self.root), os.environ.get("PYTHONPATH")]))
        if self.console:
            logs = {app.name: self.log_of(app.name) for app in self.apps()}
            level = env.get("LOG_LEVEL") or os.environ.get("LOG_LEVEL")
            self._follower = LogFollower(logs, everything=level == "DEBUG")
        # Where the sidecars keep each other's addresses, by components/config.yaml.
        (path.parent / ".dapr").mkdir(exist_ok=True)
        template = read_template(path)
        self._apps = Apps(dapr, template, with_replicas(template.apps, dict(self.replicas or {})), self.state_dir, env)
