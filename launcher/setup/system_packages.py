"""Installs a Debian package where permitted, else reports which package is missing."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from launcher.console import print_line, run_logged
from launcher.errors import LaunchError
from launcher.paths import cache_dir

LOCK_TIMEOUT_S = 300.0
"""How long to wait for another program that holds apt's locks."""
LOCK_POLL_S = 3.0
_LOCKED = "Could not get lock"


def install(package: str, what: str, *, brew: str | None = None) -> None:
    """Install a package with apt as root or through sudo without a password, or raise LaunchError with instructions.

    `brew` is the name of the package in Homebrew, if it differs.
    """
    by_hand = _by_hand(package, brew or package)
    prefix = _apt_prefix()
    if prefix is None:
        raise LaunchError(f"{what} is missing: install it ({by_hand}), then run the command again.")
    print_line(f"{what} is missing: installing the package {package}.")
    # In English, because `_apt` searches the messages.
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    log = cache_dir() / f"apt-{package}.log"
    try:
        _apt([*apt, "update"], "Reading the package lists", log, "")
    except LaunchError:
        print_line(f"Reading the package lists failed ({log}); trying with the existing lists.")
    advice = (
        f"Check that the package mirrors can be reached, or install it by hand ({by_hand}), then run the command again."
    )
    _apt([*apt, "install", "--yes", "--no-install-recommends", package], f"Installing {package}", log, advice)


def _by_hand(package: str, brew: str) -> str:
    """Return the commands that install a package, by operating system."""
    return f"on Debian and Ubuntu: `sudo apt-get install {package}`; on macOS: `brew install {brew}`"


def _apt(command: list[str], what: str, log: Path, advice: str) -> None:
    """Run apt-get. Retries while another program holds a lock of apt."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            run_logged(command, what, log, advice=advice)
        except LaunchError:
            if _LOCKED not in log.read_text(errors="replace") or time.monotonic() > deadline:
                raise
        else:
            return
        print_line("  another program is using apt; waiting for it")
        time.sleep(LOCK_POLL_S)


def _apt_prefix() -> list[str] | None:
    """Return the prefix for apt-get commands, or None when apt-get cannot be used."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    allowed = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    return ["sudo", "-n"] if allowed else None
