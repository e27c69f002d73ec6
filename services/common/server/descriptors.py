"""The limit of open files: it is raised for the configured connections, or the connections are reduced to it."""

import resource

from services.common.logs import get_logger

log = get_logger(__name__)

_PER_CONNECTION = 3
"""Descriptors of a connection at most: its socket, and files for a large request and a large response."""
_RESERVED = 256
"""Descriptors for the rest of the process: sidecar connections of threads, listening sockets, files."""


def allow_descriptors(connections: int) -> int:
    """Raise the limit of open files for so many connections; return how many connections it allows.

    Only the soft limit is raised. Its default on macOS is 256.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections * _PER_CONNECTION + _RESERVED
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    except (OSError, ValueError) as error:  # macOS has another limit that cannot be queried
        log.info("could not raise the limit of open files", extra={"cause": str(error)})
        allowed = soft
    if allowed >= wanted:
        return connections
    fewer = max(
        min(connections, (allowed - _RESERVED) // _PER_CONNECTION), min(connections, allowed // _PER_CONNECTION, 10)
    )
    if fewer < connections:
        log.warning(
            "the limit of open files is too low for CONNECTION_LIMIT", extra={"files": allowed, "connections": fewer}
        )
    return fewer
