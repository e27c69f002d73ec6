"""Host names of requests, and which of them belong to this machine."""

import ipaddress
import re


def host_name(host: str) -> str:
    """Return the name, in lower case, of a host that may have a port behind it; IPv6 addresses keep their brackets.

    A foreign page may lead its own name to this address; by that name it would be of the same origin. Flask's
    TRUSTED_HOSTS does not do: it never matches an IPv6 address (Werkzeug 3.1).
    """
    return re.sub(r":[0-9]+$", "", host).lower()


def is_loopback(name: str) -> bool:
    """Return whether a name or an address, with or without brackets, is loopback."""
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return name == "localhost"
