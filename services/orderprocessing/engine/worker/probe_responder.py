"""Answers the supervisor's probes of a process that has no port, over a socket that it inherits."""

import socket
import threading
from collections.abc import Callable, Mapping

from services.common.logs import get_logger

log = get_logger(__name__)

_END_OF_REQUEST = b"\r\n\r\n"


def respond_to_probes(descriptor: int, headers: Callable[[], Mapping[str, str]]) -> None:
    """Answer every request on the socket with 200 and these headers, in the background."""
    try:
        probe = socket.socket(fileno=descriptor)
    except OSError as error:
        log.error("PROBE_FD is not an open socket", extra={"cause": str(error)})
        return
    probe.set_inheritable(False)
    threading.Thread(target=_respond, args=(probe, headers), name="probe", daemon=True).start()


def _respond(probe: socket.socket, headers: Callable[[], Mapping[str, str]]) -> None:
    received = b""
    with probe:
        while chunk := probe.recv(4096):
            received += chunk
            while _END_OF_REQUEST in received:
                received = received.partition(_END_OF_REQUEST)[2]
                lines = ["HTTP/1.1 200 OK", "Content-Length: 0", *(f"{k}: {v}" for k, v in headers().items())]
                probe.sendall("\r\n".join([*lines, "", ""]).encode())
