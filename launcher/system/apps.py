"""The apps of a run template, each with its sidecar beside it, as `dapr run -f` starts them; but kept alive.

`dapr run` starts nothing again, and whatever it has started hangs on its pipes. So `make run` reads the same template
and starts the same processes itself.
"""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from launcher.console import say
from launcher.errors import LaunchError
from launcher.ports import http_ok
from launcher.setup.dapr import Dapr
from launcher.supervision.probe import Probe
from launcher.supervision.supervisor import ProcessSpec, SupervisedProcess, stop_supervised
from launcher.system.template import App, Template

POLL_S = 0.2
READY_S = 60.0
STOP_GRACE_S = 6.0
SIDECAR_STOP_GRACE_S = 2.0
BAD_CONFIGURATION = 2
"""Exit code of our services when they cannot run with their configuration; Go's panics have the same number."""
SIDECAR = "{} sidecar"


def _new_token() -> str:
    return secrets.token_hex(32)


@dataclass(frozen=True)
class Tokens:
    """What an app and its sidecar know each other by, new at each start of the system; nobody else has them."""

    app: str = field(default_factory=_new_token, repr=False)
    """What the sidecar shows the app."""
    sidecar: str = field(default_factory=_new_token, repr=False)
    """What the app shows the sidecar."""

    def environment(self) -> dict[str, str]:
        """Return them as both programs are told them; daprd's names."""
        return {"APP_API_TOKEN": self.app, "DAPR_API_TOKEN": self.sidecar}


class Apps:
    """The running apps and sidecars."""

    def __init__(
        self, dapr: Dapr, template: Template, apps: list[App], state_dir: Path, env: Mapping[str, str]
    ) -> None:
        """Start all of them."""
        self.apps = apps
        self.tokens = {app.name: Tokens() for app in apps}
        self.kept: dict[str, SupervisedProcess] = {}
        self.broken: set[str] = set()
        for app in apps:
            shared = self.tokens[app.name].environment()
            plans = (_sidecar_plan(dapr, template, app, shared), _app_plan(template, app, {**shared, **env}))
            for plan in plans:
                self.kept[plan.name] = SupervisedProcess(plan, state_dir)

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until every app answers 200 at /readyz. Raises LaunchError when one is given up or takes too long."""
        self._wait_ready(self.apps, timeout_s)

    def roll(self, app_ids: set[str]) -> None:
        """Restart these apps with their sidecars, one replica after the other, each once the one before is ready.

        An app answers what it was asked before it ends, and begins when its sidecar is there. Raises LaunchError when
        one does not come back: then the others are left as they are, and `broken` has its name until a later try.
        """
        for app in self.apps:
            if app.app_id in app_ids:
                say(f"Restarting {app.name} ...")
                names = {app.name, SIDECAR.format(app.name)}
                self.broken |= names
                self._renew(app)
                self.broken -= names

    def _renew(self, app: App) -> None:
        sidecar, process = self.kept[SIDECAR.format(app.name)], self.kept[app.name]
        with process.stopped():
            with sidecar.stopped():
                pass
            sidecar.wait_up(READY_S)
        process.wait_up(READY_S)
        self._wait_ready([app], READY_S)

    def _wait_ready(self, apps: list[App], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while waiting := [app for app in apps if not self._is_ready(app)]:
            for app in waiting:
                for kept in (self.kept[app.name], self.kept[SIDECAR.format(app.name)]):
                    if kept.given_up:
                        raise LaunchError(kept.given_up)
            if time.monotonic() > deadline:
                names = ", ".join(app.name for app in waiting)
                logs = self.kept[waiting[0].name].log.parent
                raise LaunchError(f"Not ready within {timeout_s:.0f} s: {names}. Their logs are in {logs}.")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """End the apps, then the sidecars, each with time to finish what it does."""
        names = [app.name for app in self.apps]
        stop_supervised([self.kept[name] for name in names], STOP_GRACE_S)
        stop_supervised([self.kept[SIDECAR.format(name)] for name in names], SIDECAR_STOP_GRACE_S)

    def _is_ready(self, app: App) -> bool:
        # Asked only when it is up, so that what an earlier process said does not count.
        return self.kept[app.name].is_up and http_ok(f"{app.address}/readyz")


def _app_plan(template: Template, app: App, env: Mapping[str, str]) -> ProcessSpec:
    told = {
        "APP_ID": app.app_id,
        "APP_PORT": str(app.ports["appPort"]),
        "DAPR_HTTP_PORT": str(app.ports["daprHTTPPort"]),
        "DAPR_GRPC_PORT": str(app.ports["daprGRPCPort"]),
        "SIDECAR_SUPERVISED": "true",
    }
    # Not over the app's port: there supervision would stand in line with clients, who may keep others waiting.
    probe = Probe()
    return ProcessSpec(
        name=app.name,
        command=list(app.command),
        answers=probe.answers,
        probe=probe,
        env=template.env | told | dict(env),
        cwd=template.path.parent,
        fatal_exit_code=BAD_CONFIGURATION,
    )


def _sidecar_plan(dapr: Dapr, template: Template, app: App, tokens: Mapping[str, str]) -> ProcessSpec:
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
        # Sidecars register this address: the machine's outward one may change at any time.
        env={"DAPR_HOST_IP": "127.0.0.1", **tokens},
        cwd=template.path.parent,
    )
