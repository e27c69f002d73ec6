"""The ports on which a running system listens, from `ss`."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from launcher.supervision.processes import marked
from launcher.system.stack import Stack

_PID = re.compile(r"pid=(\d+)")
LOOPBACK, EVERYWHERE = "loopback", "every address"
_ADDRESSES = {"127.0.0.1": LOOPBACK, "[::1]": LOOPBACK, "0.0.0.0": EVERYWHERE, "*": EVERYWHERE, "[::]": EVERYWHERE}


@dataclass(frozen=True, order=True)
class Listener:
    """A port as documented, without the offset of the tests, and the addresses on which it listens."""

    port: int
    address: str
    actual_port: int


def listeners(stack: Stack) -> list[Listener]:
    """Return every TCP port that a process of the system listens on."""
    mine = {process.pid for process in marked(stack.state_dir)}
    usual = _usual_ports(stack)
    listing = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    result = []
    for line in listing.splitlines():
        if mine & {int(pid) for pid in _PID.findall(line)}:
            address, _, port = line.split()[3].rpartition(":")
            actual_port = int(port)
            result.append(Listener(usual.get(actual_port, actual_port), _ADDRESSES.get(address, address), actual_port))
    return sorted(result)


def _usual_ports(stack: Stack) -> Mapping[int, int]:
    """Map the ports of a stack with an offset to the ports that `make run` uses."""
    apps = {port: port - stack.port_offset for app in stack.apps() for port in app.ports.values()}
    moved, usual = vars(stack.ports), vars(type(stack.ports)())
    return apps | {moved[name]: usual[name] for name in usual}
