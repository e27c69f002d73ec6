"""Reads the multi-app run template `dapr.yaml`, and writes a copy of it for other ports.

The standard library has no YAML parser. This one supports the plain `key: value` lines of the template.
"""

import json
import re
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from launcher.errors import LaunchError
from launcher.ports import ControlPorts

APP_PORTS = {
    "appPort": "app",
    "daprHTTPPort": "sidecar HTTP",
    "daprGRPCPort": "sidecar gRPC",
    "daprInternalGRPCPort": "sidecar internal gRPC",
    "metricsPort": "sidecar metrics",
}
APP_WITH_WORKERS = ["-m", "launcher", "app"]
"""Arguments of Python that start an app and its workers. The names of both modules follow."""
REPLICA_STEP = 10
"""Distance between the ports of two replicas of an app."""

PORT_LINE = re.compile(rf"^(\s*(?:{'|'.join(APP_PORTS)}):\s*)(\d+)", re.MULTILINE)
CONTROL_LINE = re.compile(r"^(\s*(placement|scheduler)HostAddress:\s*\S+:)\d+", re.MULTILINE)
LINE = re.compile(r"^(?P<indent> *)(?P<item>- )?(?P<key>\w+):\s*(?P<value>.*?)\s*$")
REDIS_ADDRESS = re.compile(r"\b(localhost|127\.0\.0\.1):6379\b")


@dataclass(frozen=True)
class App:
    """An app of the template, or a replica of it, with its ports and those of its sidecar."""

    app_id: str
    name: str
    ports: dict[str, int] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    worker_command: list[str] = field(default_factory=list)
    """The command of each worker of the app; empty for an app without workers."""

    @property
    def address(self) -> str:
        """Return the address of the app."""
        return f"http://127.0.0.1:{self.ports['appPort']}"

    @property
    def sidecar_address(self) -> str:
        """Return the HTTP address of the app's sidecar."""
        return f"http://127.0.0.1:{self.ports['daprHTTPPort']}"

    def named_ports(self) -> dict[str, int]:
        """Return the app's ports, by display name."""
        return {f"{self.name} {APP_PORTS[key]}": port for key, port in self.ports.items()}

    def shifted(self, offset: int, name: str) -> "App":
        """Return the app with its ports shifted by an offset."""
        return replace(self, name=name, ports={key: port + offset for key, port in self.ports.items()})


@dataclass(frozen=True)
class Template:
    """A run template: the common settings, the common environment, and the apps."""

    path: Path
    common: dict[str, str]
    env: dict[str, str]
    apps: list[App]


def read_template(path: Path) -> Template:
    """Read a run template."""
    if not path.exists():
        raise LaunchError(f"Run template not found: {path}.")
    common: dict[str, str] = {}
    env: dict[str, str] = {}
    entries: list[dict[str, str]] = []
    target = common
    for line in path.read_text().splitlines():
        found = LINE.match(line)
        if found is None:
            continue
        key, value, level = found["key"], found["value"], len(found["indent"])
        if level == 0:
            continue
        if found["item"]:
            entries.append({})
            target = entries[-1]
        elif not entries:
            # Below `common:`, lines indented by two spaces are settings. Deeper lines belong to `env:`.
            target = common if level <= 2 else env
        if value:
            target[key] = value if key == "command" else value.strip('"')
    return Template(path, common, env, [_app(path, entry) for entry in entries])


def _app(path: Path, entry: dict[str, str]) -> App:
    app_id = entry.get("appID", "an app")
    if missing := [key for key in ("appID", "command", *APP_PORTS) if key not in entry]:
        raise LaunchError(f"{path}: {app_id} has no {' and no '.join(missing)}.")
    ports = {key: int(entry[key]) for key in APP_PORTS}
    return App(app_id, app_id, ports, *_commands(json.loads(entry["command"])))


def _commands(command: list[str]) -> tuple[list[str], list[str]]:
    """Return the commands of an app and of its workers, which `launcher app` starts for `dapr run`."""
    python, *rest = command
    if rest[: len(APP_WITH_WORKERS)] != APP_WITH_WORKERS:
        return command, []
    app, worker = rest[len(APP_WITH_WORKERS) :]
    return [python, "-m", app], [python, "-m", worker]


def with_replicas(apps: list[App], replicas: dict[str, int]) -> list[App]:
    """Return the apps with the requested number of replicas, each on its own ports."""
    result = []
    for app in apps:
        count = replicas.get(app.app_id, 1)
        result += [app] + [app.shifted(REPLICA_STEP * (n - 1), f"{app.app_id}-{n}") for n in range(2, count + 1)]
    return result


def write_shifted(template: Path, root: Path, state_dir: Path, offset: int) -> Path:
    """Write the template and the components beside each other into a state folder, with all ports shifted.

    Relative paths of the copy lead into the state folder, so log files and resources of two systems stay
    apart; only the interpreter of the virtual environment is named in full.
    """
    ports = ControlPorts().shifted(offset)
    text = PORT_LINE.sub(lambda found: f"{found[1]}{int(found[2]) + offset}", template.read_text())
    text = CONTROL_LINE.sub(lambda found: f"{found[1]}{getattr(ports, found[2])}", text)
    copy = state_dir / "dapr.yaml"
    copy.write_text(text.replace(".venv/bin/", f"{root}/.venv/bin/"))
    components = state_dir / "components"
    shutil.rmtree(components, ignore_errors=True)
    shutil.copytree(template.parent / "components", components)
    for resource in components.rglob("*.yaml"):
        resource.write_text(REDIS_ADDRESS.sub(rf"\g<1>:{ports.redis}", resource.read_text()))
    return copy
