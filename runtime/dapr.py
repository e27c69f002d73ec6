"""Finds a Dapr CLI and runtime that are new enough, or has them built."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from runtime.build import built_folder, ensure_built
from runtime.console import say
from runtime.toolchain import output_of, version_of

CLI_NEEDED = (1, 16, 0)
RUNTIME_NEEDED = (1, 18, 0)


@dataclass(frozen=True)
class Dapr:
    """A CLI, and the folder whose `.dapr/bin` holds daprd and, unless it runs in Docker, the control plane."""

    cli: Path
    runtime_path: Path

    def binary(self, name: str) -> Path:
        """Return where daprd, placement or scheduler is."""
        return self.runtime_path / ".dapr" / "bin" / name

    def environment(self) -> dict[str, str]:
        """Return what makes a plain `dapr run` use this runtime."""
        path = f"{self.cli.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        return {"PATH": path, "DAPR_RUNTIME_PATH": str(self.runtime_path)}


def ensure_dapr(*, control_plane: bool = True) -> Dapr:
    """Return the installed Dapr if it will do, else the one in the cache, built now if need be.

    With `control_plane`, where the launcher starts the scheduler itself, only the one in the cache will do.
    """
    installed = _installed(control_plane)
    if installed is not None:
        return installed
    folder = ensure_built()
    return Dapr(folder / "bin" / "dapr", folder)


def _installed(control_plane: bool) -> Dapr | None:
    """Return the machine's own Dapr, or None and a sentence when there is one that will not do."""
    runtime_path = Path(os.environ.get("DAPR_RUNTIME_PATH") or Path.home())
    daprd = runtime_path / ".dapr" / "bin" / "daprd"
    cli = shutil.which("dapr")
    if cli is None or not daprd.exists():
        return None
    found = Dapr(Path(cli), runtime_path)
    problem = _problem(found, control_plane)
    if problem:
        say(f"The Dapr that is installed here is not used: {problem}.")
        return None
    return found


def _problem(found: Dapr, control_plane: bool) -> str:
    """Return why an installed Dapr will not do, empty when it will."""
    for name, command, needed in (
        ("CLI", found.cli, CLI_NEEDED),
        ("runtime", found.binary("daprd"), RUNTIME_NEEDED),
    ):
        version = version_of(output_of(command, "--version"))
        if version is None:
            return f"its {name} does not tell its version"
        if version < needed:
            is_, at_least = (".".join(map(str, number)) for number in (version, needed))
            return f"its {name} is {is_} and {at_least} or newer is needed"
    if control_plane and found.runtime_path.resolve() != built_folder().resolve():
        return "no scheduler runs, and every web page could read and delete the jobs of the stock one"
    return ""
