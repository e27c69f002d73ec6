"""Ports of the system, and probes of the servers that listen on them."""

import http.client
import socket
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from launcher.errors import LaunchError

HOST = "127.0.0.1"
PROBE_TIMEOUT_S = 2.0
# The HTTP/2 connection preface with an empty SETTINGS frame. A gRPC server answers with a SETTINGS frame.
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
HTTP2_SETTINGS = 4


@dataclass(frozen=True)
class ControlPorts:
    """Ports of Redis and the control plane. Ports that only this project uses lie outside the ephemeral port range."""

    redis: int = 6379
    placement: int = 50005
    scheduler: int = 50006
    placement_health: int = 19801
    placement_metrics: int = 19802
    placement_raft: int = 19803
    scheduler_health: int = 19811
    scheduler_metrics: int = 19812

    def shifted(self, offset: int) -> "ControlPorts":
        """Return the ports shifted by an offset, all of them outside the ephemeral port range."""
        if offset == 0:
            return self
        # Dapr's default ports lie in the ephemeral range, where an outgoing connection could occupy them.
        shifted_ports = asdict(self) | {"placement": self.placement_raft + 2, "scheduler": self.placement_raft + 3}
        return ControlPorts(**{name: port + offset for name, port in shifted_ports.items()})

    def of(self, service: str) -> dict[str, int]:
        """Return the ports that a service listens on, by display name."""
        own = {name: port for name, port in asdict(self).items() if name.startswith(service)}
        return {name.replace("_", " "): port for name, port in own.items()}


DYING_S = 2.0
POLL_S = 0.1


def is_free(port: int) -> bool:
    """Return whether nothing listens on a port, neither on the loopback nor on all addresses."""
    for host in ("", HOST):
        with socket.socket() as probe:
            # Otherwise a connection in TIME_WAIT would count as a listener.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def require_free(wanted: Mapping[str, int]) -> None:
    """Raise LaunchError with every port that is in use and the service that needs it.

    A killed process holds its ports until its last thread has ended, so this polls for a while.
    """
    deadline = time.monotonic() + DYING_S
    while taken := [f"port {port} ({name})" for name, port in wanted.items() if not is_free(port)]:
        if time.monotonic() > deadline:
            verb = "are" if len(taken) > 1 else "is"
            raise LaunchError(f"{', '.join(taken)} {verb} in use by another program. Stop that program first.")
        time.sleep(POLL_S)


def redis_answers(port: int) -> bool:
    """Return whether a Redis without a password answers."""
    return _exchange(port, b"PING\r\n").startswith(b"+PONG")


def redis_setting(port: int, name: str) -> str:
    """Return a setting of a running Redis, or an empty string when Redis does not answer."""
    # The answer is an array of two: *2, length, name, length, value.
    lines = _exchange(port, f"CONFIG GET {name}\r\n".encode()).decode(errors="replace").split("\r\n")
    return lines[4] if lines[0] == "*2" else ""


def grpc_answers(port: int) -> bool:
    """Return whether a gRPC server answers."""
    answer = _exchange(port, HTTP2_PREFACE)
    return len(answer) > HTTP2_SETTINGS and answer[3] == HTTP2_SETTINGS


def http_ok(url: str) -> bool:
    """Return whether a GET succeeds. Any status from 400 on raises an exception here."""
    try:
        with urllib.request.urlopen(url, timeout=PROBE_TIMEOUT_S) as answer:
            # If the response is not read, the server logs that the client disconnected.
            answer.read()
            return True
    except (OSError, http.client.HTTPException):
        return False


def _exchange(port: int, request: bytes) -> bytes:
    """Send a request and return the first bytes of the response, empty when there is none."""
    try:
        with socket.create_connection((HOST, port), timeout=PROBE_TIMEOUT_S) as connection:
            connection.sendall(request)
            return connection.recv(4096)
    except OSError:
        return b""
