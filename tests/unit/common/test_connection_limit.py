"""At the connection limit, idle and stalled connections are closed for new ones; the probe is exempt."""

import errno
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from services.common.server import connection, descriptors, http_server
from tests.e2e.polling import eventually
from tests.unit.common.counter import BIG
from tests.unit.common.local_server import TIMEOUT, Local, read_all, read_answer
from tests.unit.common.service_process import running

LIMIT = 20
HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
SLOW = b"POST /echo?seconds=%a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"


@pytest.fixture
def full() -> Iterator[Local]:
    """Return a server with few places, which every test takes in its own way."""
    found = Local(LIMIT)
    found.bound = 1.0
    found.start()
    yield found
    found.server.stop()
    assert found.ended.wait(TIMEOUT)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


def fill_connections(local: Local, stack: ExitStack, begin: Callable[[socket.socket], None]) -> list[socket.socket]:
    """Take all places, each by a connection that begins in the same way."""
    ends = [stack.enter_context(local.connect()) for _ in range(LIMIT)]
    for end in ends:
        begin(end)
    eventually(lambda: local.server.is_full)
    return ends


def check_answered(local: Local, within: float) -> None:
    began = time.monotonic()
    with local.connect() as end:
        end.sendall(HEALTHZ)
        assert b"alive" in read_answer(end)
    assert time.monotonic() - began < within


def stay_silent(_end: socket.socket) -> None:
    pass


def send_one_request(end: socket.socket) -> None:
    end.sendall(HEALTHZ)
    assert b"alive" in read_answer(end)


def test_a_silent_connection_is_closed_at_the_request_timeout(full: Local, stack: ExitStack) -> None:
    full.server.request_timeout = 0.5
    end = stack.enter_context(full.connect())
    assert end.recv(1) == b""


def test_blank_lines_do_not_reset_the_request_timeout(full: Local, stack: ExitStack) -> None:
    full.server.request_timeout = 1.5
    end = stack.enter_context(full.connect())
    began = time.monotonic()
    with suppress(OSError):
        while time.monotonic() - began < TIMEOUT:
            end.sendall(b"\r\n\r\n")
            time.sleep(0.1)
    assert time.monotonic() - began < TIMEOUT


def test_a_keep_alive_connection_is_closed_at_the_idle_timeout(full: Local, stack: ExitStack) -> None:
    full.server.idle_timeout, full.server.request_timeout = 1.0, 0.1
    end = stack.enter_context(full.connect())
    send_one_request(end)
    began = time.monotonic()
    assert end.recv(1) == b""
    assert time.monotonic() - began > 0.8


@pytest.mark.parametrize("begin", [stay_silent, send_one_request])
def test_idle_connections_are_closed_for_new_ones(
    full: Local, stack: ExitStack, begin: Callable[[socket.socket], None]
) -> None:
    ends = fill_connections(full, stack, begin)
    for _ in range(3):
        check_answered(full, within=4)
    assert ends[0].recv(1) == b""


def test_the_longest_idle_connection_is_closed_first(full: Local, stack: ExitStack) -> None:
    ends = fill_connections(full, stack, send_one_request)
    for end in (ends[0], ends[2]):
        send_one_request(end)
    time.sleep(0.6)  # all of them have been idle for long enough to give way
    check_answered(full, within=4)
    assert ends[1].recv(1) == b""
    for end in (ends[0], ends[2]):
        send_one_request(end)


@pytest.mark.parametrize("begun", [b"GET /heal", b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"])
def test_stalled_requests_are_closed_for_new_connections(
    full: Local, stack: ExitStack, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(connection, "_STALLED", 0.5)
    fill_connections(full, stack, lambda end: end.sendall(begun))
    check_answered(full, within=4)


def test_clients_that_read_nothing_are_closed_for_new_connections(
    full: Local, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_STALLED", 0.5)
    fill_connections(full, stack, lambda end: end.sendall(b"GET /big?times=12 HTTP/1.1\r\nHost: x\r\n\r\n"))
    eventually(lambda: not full.server.task_dispatcher.active_count)
    check_answered(full, within=4)


def test_a_connection_with_a_request_in_flight_is_not_closed(full: Local, stack: ExitStack) -> None:
    ends = fill_connections(full, stack, lambda end: end.sendall(SLOW % 0.4))
    check_answered(full, within=8)
    assert [read_answer(end) for end in ends] == [b"hi"] * LIMIT


def test_busy_connections_are_closed_after_a_response_only_while_clients_wait(full: Local, stack: ExitStack) -> None:
    ends = fill_connections(full, stack, lambda end: end.sendall(SLOW % 1.0))
    waiting = stack.enter_context(full.connect())
    waiting.sendall(HEALTHZ)
    assert b"Connection: close" in read_all(ends[0]) + read_all(ends[1])
    assert b"alive" in read_answer(waiting)
    assert read_answer(ends[-1]) == b"hi"
    send_one_request(ends[-1])


def test_a_half_closed_connection_is_closed(full: Local, stack: ExitStack) -> None:
    end = stack.enter_context(full.connect())
    end.sendall(HEALTHZ[:10])
    end.shutdown(socket.SHUT_WR)
    assert end.recv(1) == b""
    eventually(lambda: not full.server.active_channels)


def test_the_probe_is_answered_at_the_connection_limit_and_has_no_timeout(full: Local, stack: ExitStack) -> None:
    ours, theirs = socket.socketpair()
    stack.enter_context(ours)
    ours.settimeout(TIMEOUT)
    full.server.request_timeout = full.server.idle_timeout = 0.2
    full.server.serve_probe(theirs.detach())
    full.server.pull_trigger()
    fill_connections(full, stack, lambda end: end.sendall(SLOW % 0.3))
    for _ in range(2):
        ours.sendall(HEALTHZ)
        assert b"alive" in read_answer(ours)
        eventually(lambda: not full.server.active_channels.keys() - {full.server._probe.socket.fileno()})
        looked = full.server._checked_slow_at
        eventually(lambda looked=looked: full.server._checked_slow_at > looked + 1)


def test_a_process_without_free_descriptors_recovers_by_closing_connections(tmp_path: Path) -> None:
    with running(tmp_path, "tests.unit.common.counter", CONNECTION_LIMIT="100") as service, ExitStack() as stack:
        used = len(list(Path(f"/proc/{service.process.pid}/fd").iterdir()))
        resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (used + 20, used + 20))
        for _ in range(40):
            stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=TIMEOUT))
        before = cpu_seconds(service.process.pid)
        time.sleep(0.5)
        for _ in range(3):
            assert service.ask("GET", "/healthz")[0] == 200
        assert cpu_seconds(service.process.pid) - before < 1.0, "it must not spin"
        assert service.log.read_text().count("no capacity") <= 2
        assert "Traceback" not in service.log.read_text()


class Exhausted(socket.socket):
    """A listening socket in a process that has no descriptor left."""

    def accept(self) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")


def test_a_process_that_cannot_accept_connections_fails_its_probe(
    full: Local, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "_UNREACHABLE_SECONDS", 1.0)
    ours, theirs = socket.socketpair()
    stack.enter_context(ours)
    ours.settimeout(TIMEOUT)
    full.server.serve_probe(theirs.detach())
    listening = full.server.socket
    full.server.socket = stack.enter_context(Exhausted(fileno=os.dup(listening.fileno())))
    stack.enter_context(full.connect())
    ours.sendall(HEALTHZ)
    assert b"alive" in read_answer(ours)
    assert ours.recv(1) == b""
    full.server.socket = listening
    check_answered(full, within=4)


def test_a_service_starts_with_an_invalid_probe_descriptor(tmp_path: Path) -> None:
    with running(tmp_path, "tests.unit.common.counter", PROBE_FD="999") as service:
        assert service.ask("GET", "/healthz")[0] == 200
        assert "PROBE_FD is not an open socket" in service.log.read_text()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_the_limit_of_open_files_fits_the_connection_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(256, 100_000)]
    monkeypatch.setattr(resource, "getrlimit", lambda _what: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _what, pair: limits.append(pair))
    assert descriptors.allow_descriptors(500) == 500
    assert limits[-1] == (1756, 100_000)
    limits[:] = [(256, 556)]
    assert descriptors.allow_descriptors(500) == 100
    assert limits[-1] == (556, 556)
    limits[:] = [(64, 64)]
    assert descriptors.allow_descriptors(500) == 10


def test_a_large_response_that_is_read_in_time_is_not_cut_off(full: Local, stack: ExitStack) -> None:
    end = stack.enter_context(full.connect())
    end.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert read_all(end).endswith(BIG)
