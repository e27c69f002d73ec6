"""Connections that are kept, against a small HTTP server."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.common.dapr.http_client import ConnectionFailedError, Connections, HttpResponse
from tests.unit.fake_daprd import FakeDaprd

SOON = 0.05


def get(connections: Connections, path: str = "/", timeout: float = 5.0) -> HttpResponse:
    return connections.send("GET", path, None, {}, timeout)


def test_each_thread_has_one_persistent_connection(daprd: FakeDaprd) -> None:
    connections = Connections(daprd.port)
    get(connections)
    get(connections)
    with ThreadPoolExecutor(1) as other:
        other.submit(get, connections).result()
    first, second, third = daprd.callers
    assert first == second != third


def test_a_connection_closed_by_the_server_is_replaced(daprd: FakeDaprd) -> None:
    connections = Connections(daprd.port)
    daprd.hangs_up = True
    for _ in range(20):
        assert get(connections).ok
        assert daprd.hung_up.acquire(timeout=5)
    assert len(set(daprd.callers)) == 20


def test_a_late_response_is_not_taken_for_the_next_one(daprd: FakeDaprd) -> None:
    connections, daprd.hold = Connections(daprd.port), threading.Event()
    daprd.body = b"late"
    with pytest.raises(ConnectionFailedError, match="timed out"):
        get(connections, timeout=SOON)
    hold, daprd.hold, daprd.body = daprd.hold, None, b"the next"
    hold.set()
    assert get(connections).body == b"the next"


def test_a_truncated_response_is_an_error(daprd: FakeDaprd) -> None:
    daprd.cut = 3
    with pytest.raises(ConnectionFailedError, match="bytes missing"):
        get(Connections(daprd.port))


def test_a_path_is_escaped_once(daprd: FakeDaprd) -> None:
    get(Connections(daprd.port), "/orders/Zo\u00eb %2F?limit=1&at=\r\n")
    assert daprd.asked[0][1] == "/orders/Zo%C3%AB%20%2F?limit=1&at=%0D%0A"


def test_an_invalid_request_does_not_affect_the_next(daprd: FakeDaprd) -> None:
    connections = Connections(daprd.port)
    with pytest.raises(ValueError, match="line break"):
        connections.send("POST", "/shutdown", None, {"Last-Event-ID": "1\r\nHost: elsewhere"}, 5.0)
    assert get(connections, "/metadata").ok
    assert daprd.asked == [("GET", "/metadata", None)]


def test_an_interim_response_is_not_taken_for_the_response(daprd: FakeDaprd) -> None:
    connections, daprd.status = Connections(daprd.port), 103
    with pytest.raises(ConnectionFailedError):
        get(connections)
    daprd.status, daprd.body = 200, b"its own"
    assert get(connections).body == b"its own"


def test_only_the_given_headers_are_sent(daprd: FakeDaprd) -> None:
    connections = Connections(daprd.port)
    connections.send("POST", "/v1.0/shutdown", None, {"Dapr-Api-Token": "t"}, 5.0)
    connections.send("POST", "/v1.0/state", b"[1]", {"Content-Type": "application/json", "Empty": ""}, 5.0)
    get(connections)
    without, with_body, after = ({name: one[name] for name in one if name != "host"} for one in daprd.shown)
    assert without == {"dapr-api-token": "t", "content-length": "0"}
    assert with_body == {"content-type": "application/json", "empty": "", "content-length": "3"}
    assert after == {}
    assert [body for _, _, body in daprd.asked] == [None, [1], None]


def test_a_path_is_sent_unchanged_and_without_a_proxy(daprd: FakeDaprd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert get(Connections(daprd.port), "/v1.0/state/../x").ok
    assert daprd.asked[0][1] == "/v1.0/state/../x"


def test_response_headers_are_case_insensitive(daprd: FakeDaprd) -> None:
    daprd.headers = {"Link": '</orders?cursor=1>; rel="next"'}
    assert get(Connections(daprd.port)).headers["link"] == '</orders?cursor=1>; rel="next"'


def test_a_closed_port_is_a_failed_connection(daprd: FakeDaprd) -> None:
    with pytest.raises(ConnectionFailedError, match="connect"):
        get(Connections(1))
