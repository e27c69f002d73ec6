"""Finds or installs the browser for the browser tests."""

import shutil
from pathlib import Path

from launcher.errors import LaunchError
from launcher.setup import system_packages
from launcher.setup.toolchain import output_of, version_of

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""Names of Chromium on the PATH, by packager."""

WITHOUT = "Only `make browser` and `make test` need it; `make run` and `make lint unit e2e fuzz` do not."


def find_chromium() -> Path | None:
    """Return a Chromium that starts, or None."""
    for name in PROGRAMS:
        found = shutil.which(name)
        # Ubuntu's package of this name may contain only a script that prints installation instructions.
        if found and version_of(output_of(found, "--version")):
            return Path(found)
    return None


def ensure_chromium() -> Path:
    """Return a Chromium. Installs it if it is missing. Raises LaunchError when that fails."""
    found = find_chromium()
    if found is None:
        try:
            system_packages.install("chromium", "Chromium, which the browser tests drive,", brew="--cask chromium")
        except LaunchError as error:
            raise LaunchError(f"{error}\n{WITHOUT}") from error
        found = find_chromium()
    if found is None:
        raise LaunchError(
            f"The package chromium contains no browser here: install Chromium or Google Chrome.\n{WITHOUT}"
        )
    return found
