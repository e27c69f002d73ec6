"""Asks a service whether it answers, over a socket pair: a way of its own, on which nobody stands in line before it."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

PROBE_FD = "PROBE_FD"
"""The environment variable with the service's end, served by services/common/server/http_server.py like a client."""
TIMEOUT_S = 2.0
_QUESTION = b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
_ANSWER = re.compile(rb"HTTP/1\.1 ([1-9][0-9]{2}) .*?\r\n\r\n", re.DOTALL)


class Probe:
    """The launcher's end of the pair, a new one at each start of the process. For one thread at a time."""

    def __init__(self) -> None:
        self._end: socket.socket | None = None
        self._asked = False
        self._heard = b""

    @contextmanager
    def opened(self) -> Iterator[int]:
        """Make a new pair, and lend the process's end for its start, by its descriptor."""
        self.close()
        self._end, theirs = socket.socketpair()
        self._end.settimeout(TIMEOUT_S)
        with theirs:
            yield theirs.fileno()

    def close(self) -> None:
        """Close the launcher's end."""
        if self._end is not None:
            self._end.close()
        self._end, self._asked, self._heard = None, False, b""

    def answers(self) -> bool:
        """Tell whether the process answers now, be it a question that it was asked before."""
        if self._end is None:
            return False
        try:
            if not self._asked:
                self._end.sendall(_QUESTION)
                self._asked = True
            while not (found := _ANSWER.match(self._heard)):
                piece = self._end.recv(4096)
                if not piece:
                    return False
                self._heard += piece
        except OSError:
            return False
        self._asked, self._heard = False, self._heard[found.end() :]
        return int(found[1]) < 500
