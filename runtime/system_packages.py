"""Installing a Debian package where we may, and saying which one is missing where we may not."""

import os
import shutil
import subprocess

from runtime.console import run_logged, say
from runtime.errors import LaunchError
from runtime.paths import cache_dir


def install(package: str, what: str) -> None:
    """Install a package with apt as root or through sudo without a password, or say what to install."""
    prefix = _apt_prefix()
    if prefix is None:
        raise LaunchError(f"{what} is missing: install it (on Debian and Ubuntu the package {package}).")
    say(f"{what} is missing: installing the package {package}.")
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    log = cache_dir() / f"apt-{package}.log"
    run_logged([*apt, "update"], "Reading the package lists", log)
    run_logged([*apt, "install", "--yes", "--no-install-recommends", package], f"Installing {package}", log)


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
