"""The apps of a run template with sidecars and workers, as `dapr run -f` starts them, but supervised.

`dapr run` itself restarts nothing, and its processes depend on its pipes. `make run` therefore reads the same template
and starts the same processes itself.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from launcher.console import print_line
from launcher.errors import LaunchError
from launcher.ports import http_ok
from launcher.setup.dapr import Dapr
from launcher.supervision.probe import Probe
from launcher.supervision.supervisor import ProcessSpec, SupervisedProcess, stop_supervised
from launcher.system.template import App, Template
from launcher.system.workers import WorkerPool, background_niceness, wanted_workers, worker_spec

POLL_S = 0.2
READY_S = 60.0
STOP_GRACE_S = 6.0
SIDECAR_STOP_GRACE_S = 2.0
BAD_CONFIGURATION = 2
"""Exit code of the services for an invalid configuration. A Go panic exits with the same code."""
SIDECAR = "{} sidecar"
_INTERACTIVE = {"orderprocessing", "web"}
"""The apps that people wait for. They and their sidecars have the normal priority for the processor."""


def _new_token() -> str:
    return secrets.token_hex(32)


@dataclass(frozen=True)
class Tokens:
    """API tokens shared by an app and its sidecar only, generated at each start of the system."""

    app: str = field(default_factory=_new_token, repr=False)
    """The token that the sidecar sends to the app."""
    sidecar: str = field(default_factory=_new_token, repr=False)
    """The token that the app sends to the sidecar."""

    def environment(self) -> dict[str, str]:
        """Return the environment variables of both processes, with the names that daprd uses."""
        return {"APP_API_TOKEN": self.app, "DAPR_API_TOKEN": self.sidecar}


class Apps:
    """The running apps, their sidecars and their workers."""

    def __init__(
        self,
        dapr: Dapr,
        template: Template,
        apps: list[App],
        state_dir: Path,
        env: Mapping[str, str],
        added: Callable[[str], None] = lambda _name: None,
    ) -> None:
        """Start the apps, their sidecars and their workers; `added` is called with the name of each worker."""
        self.apps = apps
        self.tokens = {app.name: Tokens() for app in apps}
        self.failed_restarts: set[str] = set()
        self._processes: dict[str, SupervisedProcess] = {}
        with_workers = {app.name: app for app in apps if app.worker_command}
        count = wanted_workers(env, len(with_workers))

        def worker(name: str, app: str, probe: Probe) -> ProcessSpec:
            app_env = {**self.tokens[app].environment(), **env}
            return _worker_spec(template, with_workers[app], name, probe, app_env)

        self.workers = WorkerPool(worker, list(with_workers), state_dir, added)
        specs = []
        for app in apps:
            shared = self.tokens[app.name].environment()
            specs += [_sidecar_spec(dapr, template, app, shared, env), _app_spec(template, app, {**shared, **env})]
        # All specifications are made first: no process has been started when a setting is invalid.
        self._processes |= {spec.name: SupervisedProcess(spec, state_dir) for spec in specs}
        if with_workers:
            self.workers.start(count * len(with_workers))

    @property
    def processes(self) -> dict[str, SupervisedProcess]:
        """Return the processes of the apps, sidecars and workers, by name."""
        return self._processes | self.workers.processes

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until every app answers 200 at /readyz. Raises LaunchError when one fails for good or takes too long."""
        self._wait_ready(self.apps, timeout_s)

    def restart(self, app_ids: set[str]) -> None:
        """Restart these apps with their sidecars and workers, one replica at a time; the next once the last is ready.

        An app drains its requests and a worker its activities before it ends, and both start once their sidecar is up.
        A worker that has failed is restarted too. Raises LaunchError when a replica does not become ready. The other
        replicas are not restarted then, and `failed_restarts` has the names of its processes until a later restart
        succeeds.
        """
        for app in self.apps:
            if app.app_id in app_ids:
                print_line(f"Restarting {app.name} ...")
                names = {process.name for process in self._of(app)}
                self.failed_restarts |= names
                self._restart_app(app)
                self.failed_restarts -= names

    def _restart_app(self, app: App) -> None:
        sidecar, *processes = self._of(app)
        with ExitStack() as stopped:
            # The app last: it accepts requests while its workers finish their activities.
            for process in reversed(processes):
                stopped.enter_context(process.stopped())
            with sidecar.stopped():
                pass
            sidecar.wait_up(READY_S)
        for process in processes:
            process.wait_up(READY_S)
        self._wait_ready([app], READY_S)

    def _of(self, app: App) -> list[SupervisedProcess]:
        """Return the processes of an app: its sidecar, the app itself, and its workers."""
        own = [self._processes[SIDECAR.format(app.name)], self._processes[app.name]]
        return [*own, *self.workers.of(app.name)]

    def _wait_ready(self, apps: list[App], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while waiting := [app for app in apps if not self._is_ready(app)]:
            for app in waiting:
                for process in self._of(app):
                    if process.failure:
                        raise LaunchError(process.failure)
            if time.monotonic() > deadline:
                names = ", ".join(app.name for app in waiting)
                logs = self._processes[waiting[0].name].log.parent
                raise LaunchError(f"Not ready within {timeout_s:.0f} s: {names}. Their logs are in {logs}.")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Stop the apps and workers, then the sidecars, each with a grace period."""
        sidecars = [self._processes[SIDECAR.format(app.name)] for app in self.apps]
        stop_supervised([process for process in self.processes.values() if process not in sidecars], STOP_GRACE_S)
        stop_supervised(sidecars, SIDECAR_STOP_GRACE_S)

    def _is_ready(self, app: App) -> bool:
        """Return whether the app answers 200 at /readyz, and all its workers are up and one of them really runs."""
        workers = self.workers.of(app.name)
        if workers and not (all(worker.is_up for worker in workers) and any(worker.is_ready for worker in workers)):
            return False
        # Only when the process is up, so that a response of an earlier process does not count.
        return self._processes[app.name].is_up and http_ok(f"{app.address}/readyz")


def _app_spec(template: Template, app: App, env: Mapping[str, str]) -> ProcessSpec:
    # Not over the app's port, where probes would queue behind client requests.
    probe = Probe()
    return ProcessSpec(
        name=app.name,
        command=list(app.command),
        answers=probe.answers,
        probe=probe,
        env=template.env | _settings(app) | dict(env),
        cwd=template.path.parent,
        fatal_exit_code=BAD_CONFIGURATION,
        niceness=_niceness(app, env),
    )


def _worker_spec(template: Template, app: App, name: str, probe: Probe, env: Mapping[str, str]) -> ProcessSpec:
    env = template.env | _settings(app) | dict(env)
    return worker_spec(name, app.worker_command, probe, env, template.path.parent, BAD_CONFIGURATION)


def _niceness(app: App, env: Mapping[str, str]) -> int:
    return 0 if app.app_id in _INTERACTIVE else background_niceness(env)


def _settings(app: App) -> dict[str, str]:
    """Return the settings that `dapr run` gives to an app, and that the supervisor adds."""
    return {
        "APP_ID": app.app_id,
        "APP_PORT": str(app.ports["appPort"]),
        "DAPR_HTTP_PORT": str(app.ports["daprHTTPPort"]),
        "DAPR_GRPC_PORT": str(app.ports["daprGRPCPort"]),
        "SIDECAR_SUPERVISED": "true",
    }


def _sidecar_spec(
    dapr: Dapr, template: Template, app: App, tokens: Mapping[str, str], env: Mapping[str, str]
) -> ProcessSpec:
    common, ports = template.common, app.ports
    return ProcessSpec(
        name=SIDECAR.format(app.name),
        command=[
            dapr.binary("daprd"),
            *("--app-id", app.app_id, "--app-port", str(ports["appPort"]), "--app-protocol", "http"),
            *("--dapr-http-port", str(ports["daprHTTPPort"]), "--dapr-grpc-port", str(ports["daprGRPCPort"])),
            *("--dapr-internal-grpc-port", str(ports["daprInternalGRPCPort"])),
            *("--metrics-port", str(ports["metricsPort"])),
            *("--dapr-listen-addresses", common["apiListenAddresses"]),
            *("--resources-path", common["resourcesPath"], "--config", common["configFilePath"]),
            *("--placement-host-address", common["placementHostAddress"]),
            *("--scheduler-host-address", common["schedulerHostAddress"]),
        ],
        answers=lambda: http_ok(f"{app.sidecar_address}/v1.0/healthz/outbound"),
        # The address that sidecars register. The machine's external address may change at any time.
        env={"DAPR_HOST_IP": "127.0.0.1", **tokens},
        cwd=template.path.parent,
        niceness=_niceness(app, env),
    )
