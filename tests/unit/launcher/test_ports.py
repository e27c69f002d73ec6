"""The launcher reports ports in use, and waits for ports that are about to be released."""

import socket
import threading

import pytest

from launcher import ports
from launcher.errors import LaunchError


def test_error_names_the_port_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "DYING_S", 0.0)
    with socket.create_server((ports.HOST, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(LaunchError, match=rf"^port {port} \(redis\) is in use"):
            ports.require_free({"redis": port})


def test_port_that_is_released_within_the_timeout_counts_as_free() -> None:
    server = socket.create_server((ports.HOST, 0))
    port = server.getsockname()[1]
    threading.Timer(0.3, server.close).start()
    ports.require_free({"redis": port})
