"""A proxy between the sidecar and Redis that can break the connection on selected writes."""

import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

_CHUNK = 1 << 20


class BreakingProxy:
    """Forwards connections to a port, and closes a connection that sends a rejected write."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._refuse: Callable[[bytes], bool] = lambda _data: False
        self.broken = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def break_on(self, refuse: Callable[[bytes], bool]) -> None:
        """Close connections that send bytes for which `refuse` returns True."""
        self._refuse, self.broken = refuse, 0

    def close(self) -> None:
        """Accept no more connections."""
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", self._target)) as server:
            selector = selectors.DefaultSelector()
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in selector.select():
                    source: socket.socket = key.fileobj  # type: ignore[assignment]
                    data = source.recv(_CHUNK)
                    if not data or (source is client and self._is_refused(data)):
                        return
                    key.data.sendall(data)

    def _is_refused(self, data: bytes) -> bool:
        refused = self._refuse(data)
        self.broken += refused
        return refused
