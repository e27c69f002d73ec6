"""A small HTTP server in the place of a sidecar, that answers as it is told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydantic import SecretStr

from services.common.config import ServiceConfig
from services.common.dapr.sidecar import Sidecar


class FakeDaprd(ThreadingHTTPServer):
    """Answers every request alike and remembers what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.body = 200, b"{}"
        self.headers: dict[str, str] = {}
        self.cut = 0
        """How many bytes of what it announces it does not send."""
        self.asked: list[tuple[str, str, Any]] = []
        self.shown: list[dict[str, str]] = []
        self.callers: list[int] = []
        """The port that each request came from."""
        self.hold: threading.Event | None = None
        """What an answer waits for."""
        self.hangs_up = False
        """Whether it hangs up after an answer, without saying so before."""
        self.hung_up = threading.Semaphore(0)
        """Counts the connections that it has ended."""

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.hung_up.release()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def config(self, token: str | None = None) -> ServiceConfig:
        told = {} if token is None else {"dapr_api_token": SecretStr(token), "app_api_token": SecretStr("another")}
        return ServiceConfig(app_port=1, dapr_http_port=self.port, call_timeout=2, **told)

    def sidecar(self, token: str | None = None) -> Sidecar:
        return Sidecar(self.config(token))


class _Handler(BaseHTTPRequestHandler):
    server: FakeDaprd
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body, answer = self.rfile.read(int(self.headers.get("Content-Length") or 0)), self.server.body
        self.server.shown.append({name.lower(): value for name, value in self.headers.items()})
        self.server.asked.append((self.command, self.path, json.loads(body) if body else None))
        self.server.callers.append(self.client_address[1])
        if self.server.hold is not None:
            self.server.hold.wait(10)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer) + self.server.cut))
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)
        self.close_connection = self.server.hangs_up or self.server.cut > 0

    do_POST = do_GET  # noqa: N815 - the server looks it up by this name

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@contextmanager
def fake_daprd() -> Iterator[FakeDaprd]:
    """Run one while the block does."""
    server = FakeDaprd()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
