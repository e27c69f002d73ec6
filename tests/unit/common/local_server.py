"""The HTTP server of a service in a thread of the test, and what reads its answers."""

import http.client
import socket
import threading
import time

from waitress.adjustments import Adjustments

from services.common.server.http_server import MAX_HEADERS, GracefulServer
from tests.unit.common.counter import create_app
from tests.unit.common.service_process import HOST, free_port

TIMEOUT = 15.0


class Local:
    """A server in a thread of the test, stopped as a signal would stop it."""

    def __init__(self, connection_limit: int = 100) -> None:
        app = create_app()
        settings = Adjustments(
            host=HOST,
            port=free_port(),
            threads=4,
            connection_limit=connection_limit,
            max_request_header_size=MAX_HEADERS,
            channel_request_lookahead=1,
            ident=None,
        )
        self.server = GracefulServer(app, map={}, adj=settings)
        self.ended = threading.Event()
        self.bound = TIMEOUT
        self.address = (HOST, settings.listen[0][3][1])

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        self.server.run()
        self.server.drain([], time.monotonic() + self.bound)
        self.ended.set()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=TIMEOUT)


def read_answer(connection: socket.socket) -> bytes:
    """Return an answer's body; the connection stays open."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.read()


def read_all(connection: socket.socket) -> bytes:
    """Return what comes until the other side closes the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))
