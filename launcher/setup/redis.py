"""Finds redis-server on this machine or installs it."""

import shutil
from pathlib import Path

from launcher.errors import LaunchError
from launcher.paths import cache_dir
from launcher.setup import system_packages

# Debian's redis-tools has the server under this name, and unlike redis-server it starts no service.
DEBIAN_PROGRAM = Path("/usr/bin/redis-check-rdb")


def ensure_redis() -> Path:
    """Return the redis-server to start."""
    found = _find()
    if found is None:
        system_packages.install("redis-tools", "redis-server", brew="redis")
        found = _find()
    if found is None:
        system_packages.install("redis-server", "redis-server", brew="redis")
        found = _find()
    if found is None:
        raise LaunchError("The package redis-server has no redis-server here: install Redis 6 or newer by hand.")
    return found


def _find() -> Path | None:
    """Return redis-server from PATH or, by another name, from Debian's redis-tools."""
    found = shutil.which("redis-server")
    if found:
        return Path(found)
    if not DEBIAN_PROGRAM.exists():
        return None
    # The program looks at the name it is called by: only a link makes a server of it.
    link = cache_dir() / "redis-server"
    if not link.is_symlink():
        link.symlink_to(DEBIAN_PROGRAM)
    return link
