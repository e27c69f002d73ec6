"""Graceful shutdown in real processes: every accepted request gets a complete response."""

import http.client
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.common.server import http_server
from tests.e2e.polling import eventually, holds
from tests.unit.common.counter import BIG
from tests.unit.common.local_server import TIMEOUT, Local, read_all, read_answer
from tests.unit.common.service_process import BODY, HOST, LoadThreads, Service, running

COUNTER = "tests.unit.common.counter"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running(tmp_path, COUNTER) as found:
        yield found


def stop(service: Service, number: signal.Signals = signal.SIGTERM) -> float:
    """Tell the service to stop and return how long it took; it must say that all went well."""
    began = time.monotonic()
    service.process.send_signal(number)
    assert service.process.wait(TIMEOUT) == 0
    return time.monotonic() - began


class Call(threading.Thread):
    """A request in flight."""

    def __init__(self, service: Service, method: str, path: str, body: bytes | None = None) -> None:
        super().__init__(daemon=True)
        self._ask: Callable[[], tuple[int, bytes]] = lambda: service.ask(method, path, body)
        self.answer: tuple[int, bytes] | None = None
        self.start()

    def run(self) -> None:
        self.answer = self._ask()

    def result(self) -> tuple[int, bytes] | None:
        self.join(TIMEOUT)
        return self.answer


def test_every_accepted_request_is_answered_when_the_service_stops_under_load(service: Service) -> None:
    load = LoadThreads(service.port)
    load.start(clients=8, kept=True)
    load.start(clients=8, kept=False)
    eventually(lambda: load.answered > 300)
    seconds = stop(service)
    load.wait()
    assert load.failed == []
    assert load.refused == 16
    assert seconds < 3
    assert "stopped" in service.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_in_flight_request_is_answered_before_the_rest_of_the_process_stops(
    service: Service, number: signal.Signals
) -> None:
    call = Call(service, "POST", "/echo?seconds=1.5", BODY)
    eventually(lambda: service.ask("GET", "/asked")[1] == b"1")
    assert 0.5 < stop(service, number) < 5
    assert call.result() == (200, BODY)
    assert service.log.read_text().index("stopping") < service.log.read_text().index("finished")


def test_a_second_signal_does_no_harm(service: Service) -> None:
    call = Call(service, "POST", "/echo?seconds=1.5", BODY)
    eventually(lambda: service.ask("GET", "/asked")[1] == b"1")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        service.process.send_signal(number)
    assert service.process.wait(TIMEOUT) == 0
    assert call.result() == (200, BODY)


def test_a_stream_without_end_ends_at_once(service: Service) -> None:
    stream = http.client.HTTPConnection(HOST, service.port, timeout=TIMEOUT)
    stream.request("GET", "/stream")
    answer = stream.getresponse()
    assert answer.read(6) == b"begin "
    assert stop(service) < 3
    assert answer.read() == b"end"


def test_a_wrong_configuration_still_ends_with_2(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ended with 2"), running(tmp_path, COUNTER, SERVER_THREADS="0"):
        pass


def test_a_connection_without_a_request_yet_is_served_after_the_stop(local: Local) -> None:
    connection = local.connect()
    local.server.stop()
    eventually(lambda: local.server.socket is None)
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nConnection: close\r\n" in answer


def test_connections_in_the_accept_queue_are_served() -> None:
    local = Local()
    waiting = [local.connect() for _ in range(20)]
    for connection in waiting:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
    local.server.stop()
    local.start()
    assert all(b"200 OK" in read_all(connection) for connection in waiting)
    assert local.ended.wait(TIMEOUT)


def test_a_keep_alive_connection_gets_connection_close_in_either_http_version(local: Local) -> None:
    connections = [local.connect(), local.connect()]
    requests = [b"GET /healthz HTTP/1.1\r\n\r\n", b"GET /healthz HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"]
    for connection, request in zip(connections, requests, strict=True):
        connection.sendall(request)
        assert b"alive" in read_answer(connection)
    local.server.stop()
    for connection, request in zip(connections, requests, strict=True):
        connection.sendall(request)
        answer = read_all(connection)
        assert (answer.count(b"Connection: "), answer.count(b"Connection: close")) == (1, 1)


def test_pipelined_requests_are_all_answered(local: Local) -> None:
    connection = local.connect()
    slow = b"POST /echo?seconds=0.3 HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"
    connection.sendall(slow * 3)
    eventually(lambda: local.server.task_dispatcher.active_count)
    local.server.stop()
    answer = read_all(connection)
    assert (answer.count(b"200 OK"), answer.count(b"Connection: close")) == (3, 1)


def test_a_request_that_is_half_there_and_a_long_answer_are_finished(local: Local) -> None:
    half, long = local.connect(), local.connect()
    half.sendall(b"POST /echo HTTP/1.1\r\nContent-Length: 4\r\n\r\nab")
    long.sendall(b"GET /big HTTP/1.1\r\n\r\n")
    begin = long.recv(1)
    local.server.stop()
    eventually(lambda: local.server.socket is None)
    half.sendall(b"cd")
    assert read_all(half).endswith(b"\r\n\r\nabcd")
    assert (begin + read_all(long)).endswith(BIG)


def test_a_connection_is_not_over_while_something_is_half_received_or_unsent(local: Local) -> None:
    half, unread = local.connect(), local.connect()
    half.sendall(b"POST /echo HTTP/1.1\r\nContent-Length: 4\r\n\r\nab")
    unread.sendall(b"GET /big?times=12 HTTP/1.1\r\n\r\n")

    eventually(lambda: len(local.server.active_channels) == 2)
    channels = {channel.addr: channel for channel in local.server.active_channels.values()}

    def is_over(end: socket.socket) -> bool:
        channel = channels[end.getsockname()]
        assert channel.request is not None or (channel.total_outbufs_len and not channel.requests)
        return bool(channel.is_finished(time.time() + 60, 0.0))

    holds(lambda: (is_over(half), is_over(unread)))
    assert (is_over(half), is_over(unread)) == (False, False)
    half.close()
    unread.close()


def test_silent_connections_do_not_delay_the_shutdown(local: Local) -> None:
    kept, fresh = local.connect(), local.connect()
    kept.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
    assert b"alive" in read_answer(kept)
    began = time.monotonic()
    local.server.stop()
    assert (kept.recv(1), fresh.recv(1)) == (b"", b"")
    assert local.ended.wait(TIMEOUT)
    assert time.monotonic() - began < 3


def test_connections_are_closed_at_the_shutdown_timeout(local: Local) -> None:
    local.bound = 0.3
    stream = local.connect()
    stream.sendall(b"GET /stream HTTP/1.1\r\n\r\n")
    assert stream.recv(1) == b"H"
    local.server.stop()
    assert local.ended.wait(TIMEOUT)


def test_without_a_kernel_filter_the_shutdown_is_graceful_too(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "_SO_ATTACH_FILTER", 1_000_000)
    connection = local.connect()
    local.server.stop()
    connection.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
    assert b"200 OK" in read_all(connection)


@pytest.mark.parametrize(
    "program", ["orderprocessing.api", "notifications.app", "inventory.app", "billing.app", "shipping.app", "fraud.app"]
)
def test_every_service_stops_gracefully_without_its_sidecar(tmp_path: Path, program: str) -> None:
    with running(tmp_path, f"services.{program}") as service:
        assert stop(service) < 5
    assert "Traceback" not in service.log.read_text()
