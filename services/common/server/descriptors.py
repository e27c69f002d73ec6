"""How many files and connections the process may have open: as many as its limits promise, or fewer connections."""

import resource

from services.common.logs import get_logger

log = get_logger(__name__)

_EACH = 3
"""Descriptors of one connection at most: itself, and files for a big body and a big answer."""
_OTHERS = 256
"""What the rest of the process may need: threads' connections to the sidecar, listening sockets, files."""


def allow_descriptors(connections: int) -> int:
    """Raise the limit of open files as far as so many connections need; return how many of them it allows.

    Only the soft limit is raised, which macOS sets to 256 where nothing else is said.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections * _EACH + _OTHERS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    except (OSError, ValueError) as error:  # macOS has a further limit, which it does not tell
        log.info("the limit of open files stays as it is", extra={"cause": str(error)})
        allowed = soft
    if allowed >= wanted:
        return connections
    fewer = max(min(connections, (allowed - _OTHERS) // _EACH), min(connections, allowed // _EACH, 10))
    if fewer < connections:
        log.warning("too few files may be open for CONNECTION_LIMIT", extra={"files": allowed, "connections": fewer})
    return fewer
