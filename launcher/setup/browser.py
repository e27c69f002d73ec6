"""Finds the browser that the browser tests drive, or installs it; nothing else needs one."""

import shutil
from pathlib import Path

from launcher.errors import LaunchError
from launcher.setup import system_packages
from launcher.setup.toolchain import output_of, version_of

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""What a Chromium is called on the PATH, by whoever packs it."""

WITHOUT = "Only `make browser` and `make test` need it; `make run` and `make lint unit e2e fuzz` do without."


def find_chromium() -> Path | None:
    """Return a Chromium that starts, None when there is none."""
    for name in PROGRAMS:
        found = shutil.which(name)
        # Ubuntu's package of that name may hold nothing but a word about where to get one.
        if found and version_of(output_of(found, "--version")):
            return Path(found)
    return None


def ensure_chromium() -> Path:
    """Return a Chromium, installed now if need be. Raises LaunchError where that cannot be done."""
    found = find_chromium()
    if found is None:
        try:
            system_packages.install("chromium", "Chromium, which the browser tests drive,", brew="--cask chromium")
        except LaunchError as error:
            raise LaunchError(f"{error}\n{WITHOUT}") from error
        found = find_chromium()
    if found is None:
        raise LaunchError(f"The package chromium has no browser here: install Chromium or Google Chrome.\n{WITHOUT}")
    return found
