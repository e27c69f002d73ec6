"""Streams of the feed and of the console on the real server: a slot is released when the client or its key is gone."""

import http.client
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from services.common.auth.api_keys import add_key, remove_key
from services.common.identity import Role
from tests.e2e.polling import eventually
from tests.unit.common.local_server import TIMEOUT, read_all
from tests.unit.common.service_process import HOST, Service, running

LIMIT = 3
PATHS = {"feed": "/events/stream", "console": "/live"}
_FIRST_ID = re.compile(rb"\nid: (\S+?)(-[0-9]+)?\n")
SOON = 6.0
"""Seconds; far less than the 15 after which a stream says something, and the 600 that it lasts."""


class Streaming:
    """The feed or the console in a process of its own."""

    def __init__(self, name: str, service: Service) -> None:
        self.name, self.path, self.service = name, PATHS[name], service
        self.name_of_positions = ""
        self.address = f"http://{HOST}:{service.port}"

    def open(self, stack: ExitStack, headers: dict[str, str] | None = None, behind: bytes = b"") -> socket.socket:
        """Open a stream and wait until it speaks; `behind` is sent right after its request."""
        end = stack.enter_context(socket.create_connection((HOST, self.service.port), timeout=TIMEOUT))
        lines = [f"GET {self.path} HTTP/1.1", "Host: localhost", *(f"{k}: {v}" for k, v in (headers or {}).items())]
        end.sendall("\r\n".join([*lines, "", ""]).encode() + behind)
        received = b""
        while not (found := _FIRST_ID.search(received)):
            received += end.recv(4096)
            assert received.startswith(b"HTTP/1.1 200"), received[:20]
        self.name_of_positions = found[1].decode()
        return end

    def status(self, path: str, headers: dict[str, str] | None = None) -> int:
        """Return the status of a request, of whose answer only the head is read."""
        connection = http.client.HTTPConnection(HOST, self.service.port, timeout=TIMEOUT)
        try:
            connection.request("GET", path, headers=headers or {})
            return connection.getresponse().status
        finally:
            connection.close()

    def shows(self, key: str) -> dict[str, str]:
        """Return the headers by which somebody with this key is let in."""
        if self.name == "feed":
            return {"Authorization": f"Bearer {key}"}
        with requests.Session() as browser:
            found = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(f"{self.address}/login").text)
            assert found
            browser.post(f"{self.address}/login", data={"key": key, "csrf_token": found[1]}, allow_redirects=False)
            return {"Cookie": f"oms={browser.cookies['oms']}"}


@pytest.fixture(scope="module", params=["feed", "console"])
def streaming(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Streaming]:
    folder = tmp_path_factory.mktemp("streams")
    with running(folder, "tests.unit.common.streaming", request.param, STREAM_LIMIT=str(LIMIT)) as service:
        yield Streaming(request.param, service)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


@pytest.mark.parametrize("behind", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 2])
def test_a_closed_stream_releases_its_slot_at_once(streaming: Streaming, stack: ExitStack, behind: bytes) -> None:
    for end in [eventually(lambda: streaming.open(stack, behind=behind)) for _ in range(LIMIT)]:
        end.close()
    began = time.monotonic()
    for _ in range(LIMIT):
        eventually(lambda: streaming.status(streaming.path) == 200)
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_page_of_another_site_gets_no_stream_slot(streaming: Streaming, headers: dict[str, str]) -> None:
    assert [streaming.status(streaming.path, headers) for _ in range(LIMIT + 1)] == [403] * (LIMIT + 1)


def test_a_page_of_another_site_cannot_fetch_other_resources(streaming: Streaming) -> None:
    path = {"feed": "/events?limit=1000", "console": "/"}[streaming.name]
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert streaming.status(path, foreign | {"Sec-Fetch-Mode": "no-cors"}) == 403
    assert streaming.status(path, foreign | {"Sec-Fetch-Mode": "navigate"}) == 200


def test_a_position_with_very_many_digits_is_unknown(streaming: Streaming, stack: ExitStack) -> None:
    eventually(lambda: streaming.open(stack)).close()
    last = f"{streaming.name_of_positions}-{'9' * 5000}"
    name = {"feed": "lastEventId", "console": "after"}[streaming.name]
    for path, headers in ((f"{streaming.path}?{name}={last}", {}), (streaming.path, {"Last-Event-ID": last})):
        # While all places are taken by streams that end at this moment, it is a 503.
        assert eventually(lambda one=(path, headers): _unless_busy(streaming.status(*one))) == 200


def _unless_busy(status: int) -> int:
    return 0 if status == 503 else status


@pytest.mark.parametrize(("name", "where"), [("feed", "file"), ("console", "secret")])
def test_streams_end_within_seconds_when_their_key_is_removed(
    tmp_path: Path, stack: ExitStack, name: str, where: str
) -> None:
    path = tmp_path / "keys.json"
    (key, kept), (other, _) = (add_key(path, person, Role.OPERATOR) for person in ("Ann", "Bob"))
    secret = {"SECRET": "1"} if where == "secret" else {}
    settings = {"KEYS": str(path), "SESSION_SECRET_FILE": str(tmp_path / "session"), **secret}
    with running(tmp_path, "tests.unit.common.streaming", name, **settings) as service:
        streaming = Streaming(name, service)
        removed, stays = (streaming.open(stack, streaming.shows(one)) for one in (key, other))
        remove_key(path, kept.id)
        began = time.monotonic()
        assert read_all(removed).endswith(b"0\r\n\r\n"), "it ends in order"
        assert time.monotonic() - began < SOON
        stays.settimeout(0.2)
        with pytest.raises(TimeoutError):
            stays.recv(1)
