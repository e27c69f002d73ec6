"""Finds a Dapr runtime and CLI that are new enough, or has them built. `make run` needs the runtime only."""

import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from launcher.console import say
from launcher.setup.build import built_folder, ensure_built
from launcher.setup.toolchain import output_of, version_of

CLI_NEEDED = (1, 16, 0)
RUNTIME_NEEDED = (1, 18, 0)


@dataclass(frozen=True)
class Dapr:
    """A runtime: the folder whose `.dapr/bin` holds daprd and, unless it runs in Docker, the control plane."""

    runtime_path: Path

    def binary(self, name: str) -> Path:
        """Return where daprd, placement or scheduler is."""
        return self.runtime_path / ".dapr" / "bin" / name


def ensure_dapr(*, control_plane: bool = True) -> Dapr:
    """Return the installed runtime if it will do, else the one in the cache, built now if need be.

    With `control_plane`, where the launcher starts the scheduler itself, only the one in the cache will do.
    """
    return _installed(control_plane) or Dapr(ensure_built())


def ensure_cli() -> Path:
    """Return the installed CLI if it will do, else the one in the cache, built now if need be."""
    return _installed_cli() or ensure_built() / "bin" / "dapr"


def run_command(dapr: Dapr) -> str:
    """Return the shell command that starts the apps with this runtime: after `dapr init` just `dapr run -f .`."""
    cli = "dapr" if _installed_cli() else shlex.quote(str(ensure_cli()))
    # The CLI looks into the home folder by itself.
    setting = "" if dapr.runtime_path == Path.home() else f"DAPR_RUNTIME_PATH={shlex.quote(str(dapr.runtime_path))} "
    return f"{setting}{cli} run -f ."


def _installed_cli() -> Path | None:
    """Return the machine's own CLI, None when there is none that will do."""
    cli = shutil.which("dapr")
    return Path(cli) if cli and (version_of(output_of(cli, "--version")) or ()) >= CLI_NEEDED else None


def _installed(control_plane: bool) -> Dapr | None:
    """Return the machine's own runtime, or None and a sentence when there is one that will not do."""
    found = Dapr(Path(os.environ.get("DAPR_RUNTIME_PATH") or Path.home()))
    if not found.binary("daprd").exists():
        return None
    problem = _problem(found, control_plane)
    if problem:
        say(f"The Dapr runtime that is installed here is not used: {problem}.")
        return None
    return found


def _problem(found: Dapr, control_plane: bool) -> str:
    """Return why an installed runtime will not do, empty when it will."""
    version = version_of(output_of(found.binary("daprd"), "--version"))
    if version is None:
        return "it does not tell its version"
    if version < RUNTIME_NEEDED:
        is_, at_least = (".".join(map(str, number)) for number in (version, RUNTIME_NEEDED))
        return f"it is version {is_}, and {at_least} or newer is needed"
    if control_plane and found.runtime_path.resolve() != built_folder().resolve():
        return "no scheduler runs, and every web page could read and delete the jobs of the stock one"
    return ""
