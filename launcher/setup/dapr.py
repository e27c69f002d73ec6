"""Finds a recent Dapr runtime and CLI, or builds them. `make run` needs only the runtime."""

import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from launcher.console import print_line
from launcher.setup.build import built_folder, ensure_built
from launcher.setup.toolchain import output_of, version_of

CLI_NEEDED = (1, 16, 0)
RUNTIME_NEEDED = (1, 18, 0)


@dataclass(frozen=True)
class Dapr:
    """A Dapr runtime: the folder whose `.dapr/bin` contains daprd and, unless it runs in Docker, the control plane."""

    runtime_path: Path

    def binary(self, name: str) -> Path:
        """Return the path of daprd, placement or scheduler."""
        return self.runtime_path / ".dapr" / "bin" / name


def ensure_dapr(*, control_plane: bool = True) -> Dapr:
    """Return the installed runtime if it is suitable, else the one in the cache, built if it is missing.

    With `control_plane` the launcher starts the scheduler itself. Only the runtime in the cache is suitable then.
    """
    return _installed(control_plane) or Dapr(ensure_built())


def ensure_cli() -> Path:
    """Return the installed CLI if it is suitable, else the one in the cache, built if it is missing."""
    return _installed_cli() or ensure_built() / "bin" / "dapr"


def run_command(dapr: Dapr) -> str:
    """Return the shell command that starts the apps with this runtime. After `dapr init` it is just `dapr run -f .`."""
    cli = "dapr" if _installed_cli() else shlex.quote(str(ensure_cli()))
    # The home folder is the default of the CLI.
    setting = "" if dapr.runtime_path == Path.home() else f"DAPR_RUNTIME_PATH={shlex.quote(str(dapr.runtime_path))} "
    return f"{setting}{cli} run -f ."


def _installed_cli() -> Path | None:
    """Return the installed CLI if it is suitable, else None."""
    cli = shutil.which("dapr")
    return Path(cli) if cli and (version_of(output_of(cli, "--version")) or ()) >= CLI_NEEDED else None


def _installed(control_plane: bool) -> Dapr | None:
    """Return the installed runtime if it is suitable, else print why and return None."""
    found = Dapr(Path(os.environ.get("DAPR_RUNTIME_PATH") or Path.home()))
    if not found.binary("daprd").exists():
        return None
    problem = _problem(found, control_plane)
    if problem:
        print_line(f"Not using the installed Dapr runtime: {problem}.")
        return None
    return found


def _problem(found: Dapr, control_plane: bool) -> str:
    """Return why an installed runtime is unsuitable, or an empty string."""
    version = version_of(output_of(found.binary("daprd"), "--version"))
    if version is None:
        return "its version is unknown"
    if version < RUNTIME_NEEDED:
        is_, at_least = (".".join(map(str, number)) for number in (version, RUNTIME_NEEDED))
        return f"it is version {is_}, and {at_least} or newer is required"
    if control_plane and found.runtime_path.resolve() != built_folder().resolve():
        return "no scheduler is running, and any web page could read and delete the jobs of the stock scheduler"
    return ""
