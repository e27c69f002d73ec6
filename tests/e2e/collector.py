"""A trace collector that replaces Zipkin: receives spans of the sidecars, and records the services of each trace."""

import json
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Collector:
    """An HTTP server on a free port."""

    def __init__(self) -> None:
        self._services: dict[str, set[str]] = defaultdict(set)
        self._guard = threading.Lock()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector._keep(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def address(self) -> str:
        """The address for spans."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def services(self, trace_id: str) -> set[str]:
        """Return the app ids whose sidecars sent spans of the trace."""
        with self._guard:
            return set(self._services[trace_id])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="spans", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _keep(self, body: bytes) -> None:
        with self._guard:
            for span in json.loads(body):
                self._services[span["traceId"]].add(span["localEndpoint"]["serviceName"])
