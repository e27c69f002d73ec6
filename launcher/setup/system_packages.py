"""Installing a Debian package where we may, and saying which one is missing where we may not."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from launcher.console import run_logged, say
from launcher.errors import LaunchError
from launcher.paths import cache_dir

LOCK_TIMEOUT_S = 300.0
"""How long another program may hold apt's locks."""
LOCK_POLL_S = 3.0
_LOCKED = "Could not get lock"


def install(package: str, what: str, *, brew: str | None = None) -> None:
    """Install a package with apt as root or through sudo without a password, or say what to install.

    `brew` is the package's name in Homebrew, for the sentence; by default it is the same.
    """
    by_hand = _by_hand(package, brew or package)
    prefix = _apt_prefix()
    if prefix is None:
        raise LaunchError(f"{what} is missing: install it ({by_hand}), then run the command again.")
    say(f"{what} is missing: installing the package {package}.")
    # Messages in English, because one of them is looked for.
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    log = cache_dir() / f"apt-{package}.log"
    try:
        _apt([*apt, "update"], "Reading the package lists", log, "")
    except LaunchError:
        say(f"Reading the package lists failed ({log}); the lists of last time may do.")
    advice = (
        f"Check that the package mirrors can be reached, or install it by hand ({by_hand}), then run the command again."
    )
    _apt([*apt, "install", "--yes", "--no-install-recommends", package], f"Installing {package}", log, advice)


def _by_hand(package: str, brew: str) -> str:
    """Return the commands that install a package, by kind of machine."""
    return f"on Debian and Ubuntu: `sudo apt-get install {package}`; on macOS: `brew install {brew}`"


def _apt(command: list[str], what: str, log: Path, advice: str) -> None:
    """Run apt-get, again and again while another program holds a lock of apt."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            run_logged(command, what, log, advice=advice)
        except LaunchError:
            if _LOCKED not in log.read_text(errors="replace") or time.monotonic() > deadline:
                raise
        else:
            return
        say("  another program is using apt: waiting for it")
        time.sleep(LOCK_POLL_S)


def _apt_prefix() -> list[str] | None:
    """Return what must stand before apt-get, or None when it cannot be used."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    allowed = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    return ["sudo", "-n"] if allowed else None
