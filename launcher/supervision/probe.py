"""Liveness probe of a service over a socket pair, which does not compete with clients for the service's port."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

PROBE_FD = "PROBE_FD"
"""Environment variable with the service's end of the pair, which services/common/server/http_server.py serves."""
TIMEOUT_S = 2.0
_REQUEST = b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
_RESPONSE = re.compile(rb"HTTP/1\.1 ([1-9][0-9]{2}) .*?\r\n\r\n", re.DOTALL)
_HEADER = re.compile(rb"^([\w-]+): *(.*?)\r$", re.MULTILINE)


class Probe:
    """The launcher's end of the pair, renewed at each start of the process. Not thread-safe."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._pending = False
        self._received = b""
        self.headers: dict[str, str] = {}
        """The headers of the last response, by names in lower case; empty until the first one."""

    @contextmanager
    def opened(self) -> Iterator[int]:
        """Create a new pair, and yield the file descriptor of the process's end for its start."""
        self.close()
        self._socket, peer = socket.socketpair()
        self._socket.settimeout(TIMEOUT_S)
        with peer:
            yield peer.fileno()

    def close(self) -> None:
        """Close the launcher's end."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._pending, self._received, self.headers = None, False, b"", {}

    def answers(self) -> bool:
        """Return whether the process answers now, possibly to an earlier probe."""
        if self._socket is None:
            return False
        try:
            if not self._pending:
                self._socket.sendall(_REQUEST)
                self._pending = True
            while not (response := _RESPONSE.match(self._received)):
                chunk = self._socket.recv(4096)
                if not chunk:
                    return False
                self._received += chunk
        except OSError:
            return False
        self._pending, self._received = False, self._received[response.end() :]
        self.headers = {key.decode().lower(): value.decode() for key, value in _HEADER.findall(response[0])}
        return int(response[1]) < 500
