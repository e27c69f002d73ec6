"""Finds redis-server on this machine or installs it."""

import shutil
from pathlib import Path

from launcher.errors import LaunchError
from launcher.paths import cache_dir
from launcher.setup import system_packages

# The server in Debian's redis-tools. Unlike the package redis-server it starts no system service.
DEBIAN_PROGRAM = Path("/usr/bin/redis-check-rdb")


def ensure_redis() -> Path:
    """Return the path of redis-server. Installs it if it is missing."""
    found = _find()
    if found is None:
        system_packages.install("redis-tools", "redis-server", brew="redis")
        found = _find()
    if found is None:
        system_packages.install("redis-server", "redis-server", brew="redis")
        found = _find()
    if found is None:
        raise LaunchError("The package contains no redis-server here: install Redis 6 or newer by hand.")
    return found


def _find() -> Path | None:
    """Return redis-server from PATH or, by another name, from Debian's redis-tools."""
    found = shutil.which("redis-server")
    if found:
        return Path(found)
    if not DEBIAN_PROGRAM.exists():
        return None
    # The program runs as a server only when it is called by the name redis-server, hence the link.
    link = cache_dir() / "redis-server"
    if not link.is_symlink():
        link.symlink_to(DEBIAN_PROGRAM)
    return link
