"""Reads the multi-app run template, and writes the copy of it that runs on other ports.

The standard library has no YAML parser: this understands the plain `key: value` lines of our template.
"""

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from runtime.errors import LaunchError
from runtime.ports import ControlPorts

APP_PORTS = {
    "appPort": "app",
    "daprHTTPPort": "sidecar HTTP",
    "daprGRPCPort": "sidecar gRPC",
    "daprInternalGRPCPort": "sidecar internal gRPC",
    "metricsPort": "sidecar metrics",
}
PORT_LINE = re.compile(rf"^(\s*(?:{'|'.join(APP_PORTS)}):\s*)(\d+)", re.MULTILINE)
CONTROL_LINE = re.compile(r"^(\s*(?:placement|scheduler)HostAddress:\s*\S+:)(\d+)", re.MULTILINE)
APP_LINE = re.compile(r"^\s*-\s*appID:\s*(\S+)")
REDIS_ADDRESS = re.compile(r"\b(localhost|127\.0\.0\.1):6379\b")


@dataclass(frozen=True)
class App:
    """One app of the template with the ports of itself and its sidecar, by the template's keys."""

    app_id: str
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Return where the app itself answers."""
        return f"http://127.0.0.1:{self.ports['appPort']}"

    @property
    def sidecar_address(self) -> str:
        """Return where the app's sidecar answers over HTTP."""
        return f"http://127.0.0.1:{self.ports['daprHTTPPort']}"

    def named_ports(self) -> dict[str, int]:
        """Return the app's ports, each by what it is called to a person."""
        return {f"{self.app_id} {APP_PORTS[key]}": port for key, port in self.ports.items()}


def read_apps(template: Path) -> list[App]:
    """Return the apps of a run template."""
    if not template.exists():
        raise LaunchError(f"There is no run template {template}.")
    apps: list[App] = []
    for line in template.read_text().splitlines():
        if start := APP_LINE.match(line):
            apps.append(App(start.group(1)))
        elif apps and (port := PORT_LINE.match(line)):
            key = line.split(":")[0].strip()
            apps[-1].ports[key] = int(port.group(2))
    for app in apps:
        if missing := [key for key in APP_PORTS if key not in app.ports]:
            raise LaunchError(f"{template} gives {app.app_id} no {' and no '.join(missing)}.")
    return apps


def write_shifted(template: Path, root: Path, state_dir: Path, offset: int) -> Path:
    """Write the template and the components beside each other into a state folder, moved to other ports.

    Relative paths of the copy lead into the state folder, so log files and resources of two systems stay
    apart; only the interpreter of the virtual environment is named in full.
    """

    def moved(found: re.Match[str]) -> str:
        return f"{found.group(1)}{int(found.group(2)) + offset}"

    text = CONTROL_LINE.sub(moved, PORT_LINE.sub(moved, template.read_text()))
    copy = state_dir / "dapr.yaml"
    copy.write_text(text.replace(".venv/bin/", f"{root}/.venv/bin/"))
    components = state_dir / "components"
    shutil.rmtree(components, ignore_errors=True)
    shutil.copytree(template.parent / "components", components)
    redis = ControlPorts().shifted(offset).redis
    for resource in components.rglob("*.yaml"):
        resource.write_text(REDIS_ADDRESS.sub(rf"\g<1>:{redis}", resource.read_text()))
    return copy
