"""The ports of the system, what answers on them, and who is in the way."""

import http.client
import socket
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from launcher.errors import LaunchError

HOST = "127.0.0.1"
PROBE_TIMEOUT_S = 2.0
# An HTTP/2 client's first words and its empty SETTINGS frame; a gRPC server answers with a SETTINGS frame.
HTTP2_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
HTTP2_SETTINGS = 4


@dataclass(frozen=True)
class ControlPorts:
    """Ports of what the sidecars need; those used by us alone lie outside the range of outgoing connections."""

    redis: int = 6379
    placement: int = 50005
    scheduler: int = 50006
    placement_health: int = 19801
    placement_metrics: int = 19802
    placement_raft: int = 19803
    scheduler_health: int = 19811
    scheduler_metrics: int = 19812

    def shifted(self, offset: int) -> "ControlPorts":
        """Return the same ports moved by an offset, which leaves them outside the range of outgoing connections."""
        if offset == 0:
            return self
        # Dapr's own ports lie within that range: moved as they are, a connection of anybody could sit on them.
        moved = asdict(self) | {"placement": self.placement_raft + 2, "scheduler": self.placement_raft + 3}
        return ControlPorts(**{name: port + offset for name, port in moved.items()})

    def of(self, service: str) -> dict[str, int]:
        """Return the ports that one of the services listens on, each by what it is called to a person."""
        mine = {name: port for name, port in asdict(self).items() if name.startswith(service)}
        return {name.replace("_", " "): port for name, port in mine.items()}


DYING_S = 2.0
POLL_S = 0.1


def is_free(port: int) -> bool:
    """Tell whether nothing listens on a port, on the loopback or on every address."""
    for host in ("", HOST):
        with socket.socket() as probe:
            # Without this, connections that were closed a moment ago would count as a listener.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def require_free(wanted: Mapping[str, int]) -> None:
    """Fail with one sentence that names every port that is taken and what wanted it.

    A killed process holds its ports until its last thread is gone, so they are looked at for a while.
    """
    deadline = time.monotonic() + DYING_S
    while taken := [f"port {port} ({name})" for name, port in wanted.items() if not is_free(port)]:
        if time.monotonic() > deadline:
            verb = "are" if len(taken) > 1 else "is"
            raise LaunchError(f"{', '.join(taken)} {verb} in use by another program: stop that one first.")
        time.sleep(POLL_S)


def redis_answers(port: int) -> bool:
    """Tell whether a Redis that asks for no password answers."""
    return _exchange(port, b"PING\r\n").startswith(b"+PONG")


def redis_setting(port: int, name: str) -> str:
    """Return a setting of a running Redis, empty when it does not tell."""
    # The answer is an array of two: *2, length, name, length, value.
    lines = _exchange(port, f"CONFIG GET {name}\r\n".encode()).decode(errors="replace").split("\r\n")
    return lines[4] if lines[0] == "*2" else ""


def grpc_answers(port: int) -> bool:
    """Tell whether a gRPC server answers."""
    answer = _exchange(port, HTTP2_HELLO)
    return len(answer) > HTTP2_SETTINGS and answer[3] == HTTP2_SETTINGS


def http_ok(url: str) -> bool:
    """Tell whether a GET is answered well; any status from 400 on is an exception here."""
    try:
        with urllib.request.urlopen(url, timeout=PROBE_TIMEOUT_S) as answer:
            # Unread, the answer would make the server log that its client has hung up.
            answer.read()
            return True
    except (OSError, http.client.HTTPException):
        return False


def _exchange(port: int, question: bytes) -> bytes:
    """Send some bytes and return the first ones of the answer, empty when there is none."""
    try:
        with socket.create_connection((HOST, port), timeout=PROBE_TIMEOUT_S) as connection:
            connection.sendall(question)
            return connection.recv(4096)
    except OSError:
        return b""
