"""Ports that are taken are named, and those that a dying process still holds are waited for."""

import socket
import threading

import pytest

from launcher import ports
from launcher.errors import LaunchError


def test_what_is_in_the_way_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "DYING_S", 0.0)
    with socket.create_server((ports.HOST, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(LaunchError, match=rf"^port {port} \(redis\) is in use"):
            ports.require_free({"redis": port})


def test_a_port_that_is_given_back_in_a_moment_is_not_in_the_way() -> None:
    server = socket.create_server((ports.HOST, 0))
    port = server.getsockname()[1]
    threading.Timer(0.3, server.close).start()
    ports.require_free({"redis": port})
