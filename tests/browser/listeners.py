"""Which ports a running system listens on, as `ss` shows them."""

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
    """A port as the documents name it, moved back by the offset of the tests, and the addresses it answers on."""

    port: int
    address: str
    moved_to: int


def listeners(stack: Stack) -> list[Listener]:
    """Return every TCP port that a process of the system listens on."""
    mine = {process.pid for process in marked(stack.state_dir)}
    usual = _usual_ports(stack)
    listing = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    found = []
    for line in listing.splitlines():
        if mine & {int(pid) for pid in _PID.findall(line)}:
            address, _, port = line.split()[3].rpartition(":")
            moved_to = int(port)
            found.append(Listener(usual.get(moved_to, moved_to), _ADDRESSES.get(address, address), moved_to))
    return sorted(found)


def _usual_ports(stack: Stack) -> Mapping[int, int]:
    """Return the port that `make run` uses for each port of a stack that was moved to others."""
    apps = {port: port - stack.port_offset for app in stack.apps() for port in app.ports.values()}
    moved, usual = vars(stack.ports), vars(type(stack.ports)())
    return apps | {moved[name]: usual[name] for name in usual}
