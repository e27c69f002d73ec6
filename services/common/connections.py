"""HTTP to the sidecar over connections that are kept, one for each thread.

With the standard library's client a call takes a third of the CPU time that it takes with `requests` or gRPC, on both
sides, and an order makes some seventy of them (docs/performance.md).
"""

import select
import socket
import threading
from collections.abc import Mapping
from email.message import Message
from http.client import HTTPConnection, HTTPException
from typing import NamedTuple
from urllib.parse import quote

_CONNECT_TIMEOUT = 2.0
_SAFE = "!#$%&'()*+,/:;=?@[]~"
"""What a path may hold beside letters and digits; callers have escaped what their parts of it must not."""


class NoAnswerError(Exception):
    """Nobody answered, or not in time: whether the request was carried out is not known."""


class Answer(NamedTuple):
    """What was answered, whole."""

    status: int
    headers: Message
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether it was a success."""
        return 200 <= self.status < 300


class Connections:
    """The connections of this process to a port of this machine. Threads may share it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._threads = threading.local()

    def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout: float) -> Answer:
        """Return the answer to a request; `timeout` is the longest wait for each part of it, in seconds.

        Raises NoAnswerError.
        """
        connection = self._connection()
        try:
            if connection.sock is None or _is_dropped(connection.sock):
                _connect(connection)
            connection.sock.settimeout(timeout)
            connection.request(method, quote(path, safe=_SAFE), body, dict(headers))
            answer = connection.getresponse()
            if answer.status < 200:
                raise HTTPException("an answer of which more is to come")
            return Answer(answer.status, answer.headers, answer.read())
        except BaseException as error:
            # What is still on its way must not pass for the answer to the next request, and what was to be written
            # not go before it: a closed connection still has that in its buffer.
            connection.close()
            del self._threads.connection
            if isinstance(error, OSError | HTTPException):
                raise NoAnswerError(error.__class__.__name__) from error
            raise

    def _connection(self) -> HTTPConnection:
        if not hasattr(self._threads, "connection"):
            self._threads.connection = HTTPConnection("127.0.0.1", self._port, timeout=_CONNECT_TIMEOUT)
        kept: HTTPConnection = self._threads.connection
        return kept


def _connect(connection: HTTPConnection) -> None:
    connection.close()
    connection.connect()


def _is_dropped(kept: socket.socket) -> bool:
    """Tell whether the other side has hung up: there is nothing else that it could have said unasked."""
    waiting = select.poll()
    waiting.register(kept, select.POLLIN)
    return bool(waiting.poll(0))
