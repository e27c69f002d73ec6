"""Connections that are kept, against a small HTTP server."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.common.dapr.http_client import ConnectionFailedError, Connections, HttpResponse
from tests.unit.fake_daprd import FakeDaprd

SOON = 0.05


def get(connections: Connections, path: str = "/", timeout: float = 5.0) -> HttpResponse:
    return connections.send("GET", path, None, {}, timeout)


def test_requests_of_a_thread_go_over_one_connection_and_those_of_two_over_two(daprd: FakeDaprd) -> None:
    connections = Connections(daprd.port)
    get(connections)
    get(connections)
    with ThreadPoolExecutor(1) as other:
        other.submit(get, connections).result()
    first, second, third = daprd.callers
    assert first == second != third


def test_a_connection_that_the_other_side_has_ended_is_made_anew(daprd: FakeDaprd) -> None:
    connections = Connections(daprd.port)
    daprd.hangs_up = True
    for _ in range(20):
        assert get(connections).ok
        assert daprd.hung_up.acquire(timeout=5)
    assert len(set(daprd.callers)) == 20


def test_an_answer_that_comes_too_late_does_not_pass_for_the_next(daprd: FakeDaprd) -> None:
    connections, daprd.hold = Connections(daprd.port), threading.Event()
    daprd.body = b"late"
    with pytest.raises(ConnectionFailedError, match="timed out"):
        get(connections, timeout=SOON)
    hold, daprd.hold, daprd.body = daprd.hold, None, b"the next"
    hold.set()
    assert get(connections).body == b"the next"


def test_an_answer_that_is_cut_off_is_none(daprd: FakeDaprd) -> None:
    daprd.cut = 3
    with pytest.raises(ConnectionFailedError, match="bytes missing"):
        get(Connections(daprd.port))


def test_what_a_path_may_not_hold_is_escaped_and_what_is_escaped_stays(daprd: FakeDaprd) -> None:
    get(Connections(daprd.port), "/orders/Zo\u00eb %2F?limit=1&at=\r\n")
    assert daprd.asked[0][1] == "/orders/Zo%C3%AB%20%2F?limit=1&at=%0D%0A"


def test_a_request_that_cannot_even_be_written_spoils_no_other(daprd: FakeDaprd) -> None:
    connections = Connections(daprd.port)
    with pytest.raises(ValueError, match="line break"):
        connections.send("POST", "/shutdown", None, {"Last-Event-ID": "1\r\nHost: elsewhere"}, 5.0)
    assert get(connections, "/metadata").ok
    assert daprd.asked == [("GET", "/metadata", None)]


def test_an_answer_that_is_none_yet_does_not_pass_for_the_answer(daprd: FakeDaprd) -> None:
    connections, daprd.status = Connections(daprd.port), 103
    with pytest.raises(ConnectionFailedError):
        get(connections)
    daprd.status, daprd.body = 200, b"its own"
    assert get(connections).body == b"its own"


def test_only_what_was_asked_for_is_sent(daprd: FakeDaprd) -> None:
    connections = Connections(daprd.port)
    connections.send("POST", "/v1.0/shutdown", None, {"Dapr-Api-Token": "t"}, 5.0)
    connections.send("POST", "/v1.0/state", b"[1]", {"Content-Type": "application/json", "Empty": ""}, 5.0)
    get(connections)
    without, with_body, after = ({name: one[name] for name in one if name != "host"} for one in daprd.shown)
    assert without == {"dapr-api-token": "t", "content-length": "0"}
    assert with_body == {"content-type": "application/json", "empty": "", "content-length": "3"}
    assert after == {}
    assert [body for _, _, body in daprd.asked] == [None, [1], None]


def test_a_path_goes_out_as_it_is_and_past_every_proxy(daprd: FakeDaprd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert get(Connections(daprd.port), "/v1.0/state/../x").ok
    assert daprd.asked[0][1] == "/v1.0/state/../x"


def test_headers_of_the_answer_are_found_in_any_case(daprd: FakeDaprd) -> None:
    daprd.headers = {"Link": '</orders?cursor=1>; rel="next"'}
    assert get(Connections(daprd.port)).headers["link"] == '</orders?cursor=1>; rel="next"'


def test_where_nobody_listens_there_is_no_answer(daprd: FakeDaprd) -> None:
    with pytest.raises(ConnectionFailedError, match="connect"):
        get(Connections(1))
