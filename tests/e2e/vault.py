"""A fake of HashiCorp Vault with the API that the sidecar's component uses: the newest version of a secret."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

COMPONENT = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: {name}
spec:
  type: secretstores.hashicorp.vault
  version: v1
  metadata:
    - name: vaultAddr
      value: {address}
    - name: vaultToken
      value: a token
"""


class Vault:
    """An HTTP server on a free port. `secrets` maps the name of a secret to its entries."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, str]] = {}
        self._sealed = False
        vault = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                entries = vault.secrets.get(path.removeprefix("/v1/secret/data/dapr/"))
                status = 503 if vault._sealed else 404 if entries is None else 200
                body = json.dumps({"data": {"data": entries}} if status == 200 else {"errors": []}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    def component(self, name: str) -> str:
        """Return the Dapr component for this secret store."""
        return COMPONENT.format(name=name, address=f"http://127.0.0.1:{self._server.server_address[1]}")

    @contextmanager
    def sealed(self) -> Iterator[None]:
        """Return no secrets while the block runs."""
        self._sealed = True
        try:
            yield
        finally:
            self._sealed = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="vault", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
