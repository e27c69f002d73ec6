"""Slow clients hold no thread and delay no other client, and they time out."""

import socket
import threading
import time
from contextlib import ExitStack, suppress

import pytest
from waitress.channel import HTTPChannel

from tests.e2e.polling import eventually
from tests.unit.common.counter import BIG
from tests.unit.common.local_server import Local, read_all, read_answer

MANY = 50
BODY = b"slowly but surely"
HEAD = b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY)
BIG_ONE = b"GET /big?times=8 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def local(local: Local) -> Local:
    local.bound = 1.0
    return local


def connections(local: Local, number: int, stack: ExitStack) -> list[socket.socket]:
    return [stack.enter_context(local.connect()) for _ in range(number)]


def unread(local: Local) -> list[HTTPChannel]:
    """Return the connections on which an answer waits to be read."""
    return [one for one in list(local.server.active_channels.values()) if one.total_outbufs_len]


def check_quick(local: Local, requests: int = 20) -> None:
    """Ask something small a few times; each answer must come at once."""
    with local.connect() as connection:
        for _ in range(requests):
            began = time.monotonic()
            connection.sendall(HEALTHZ)
            assert b"alive" in read_answer(connection)
            assert time.monotonic() - began < 2


class SlowSender(threading.Thread):
    """Sends a request over many connections, a byte on each in turn, with a pause after every round."""

    def __init__(self, ends: list[socket.socket], pause: float) -> None:
        super().__init__(daemon=True)
        self._ends, self._pause, self.rounds = ends, threading.Event(), 0
        self._seconds = pause
        self.start()

    def run(self) -> None:
        with suppress(OSError):  # it is cut off
            for byte in HEAD + BODY:
                for end in self._ends:
                    end.sendall(bytes([byte]))
                self.rounds += 1
                self._pause.wait(self._seconds)


def test_fifty_slow_senders_are_answered_and_delay_no_other_client(local: Local) -> None:
    with ExitStack() as stack:
        ends = connections(local, MANY, stack)
        sender = SlowSender(ends, pause=0.03)
        while sender.is_alive():
            check_quick(local)
            queued = len(local.server.task_dispatcher.queue)
            # With the last byte all of them are whole, at the same moment, and may well wait for each other.
            assert not queued or sender.rounds >= len(HEAD + BODY) - 1
        assert [read_all(end)[-len(BODY) :] for end in ends] == [BODY] * MANY


def test_fifty_senders_of_a_byte_a_second_hold_no_thread_and_time_out(local: Local) -> None:
    local.server.request_timeout = 2.5
    with ExitStack() as stack:
        ends = connections(local, MANY, stack)
        sender = SlowSender(ends, pause=1.0)
        eventually(lambda: sender.rounds == 2)
        check_quick(local)
        eventually(lambda: not local.server.task_dispatcher.active_count)
        assert len(local.server.active_channels) >= MANY
        eventually(lambda: not local.server.active_channels)
        check_quick(local)


def test_fifty_clients_that_do_not_read_hold_no_thread_and_time_out(local: Local) -> None:
    with ExitStack() as stack:
        ends = connections(local, MANY, stack)
        for end in ends:
            end.sendall(BIG_ONE)
        eventually(lambda: len(unread(local)) == MANY and not local.server.task_dispatcher.active_count)
        check_quick(local)
        local.server.answer_timeout = 0.5
        eventually(lambda: not local.server.active_channels)
        check_quick(local)


def test_a_slow_reader_gets_the_whole_response(local: Local) -> None:
    with local.connect() as end:
        end.sendall(BIG_ONE)
        eventually(lambda: len(local.server.active_channels) == 1)
        check_quick(local)
        assert read_all(end).endswith(BIG)


def test_several_large_unread_responses_hold_no_thread(local: Local) -> None:
    with ExitStack() as stack:
        for end in connections(local, 8, stack):
            end.sendall(BIG_ONE.replace(b"Connection: close\r\n", b"") * 4)
        eventually(lambda: len(unread(local)) == 8 and not local.server.task_dispatcher.active_count)
        check_quick(local)


def test_a_client_that_pipelines_too_many_requests_is_disconnected(local: Local) -> None:
    with local.connect() as end:
        end.sendall(HEALTHZ * 100)
        # How many are answered before the server sees that too many wait depends on its threads.
        assert read_all(end).count(b"200 OK") < 50
    check_quick(local)


def test_a_connection_that_waits_for_its_response_does_not_time_out(local: Local) -> None:
    local.server.request_timeout = 0.5
    with local.connect() as end:
        slow = b"POST /echo?seconds=1.5 HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"
        end.sendall(slow + HEALTHZ[:10])
        assert read_answer(end) == b"hi"
        end.sendall(HEALTHZ[10:])
        assert b"alive" in read_answer(end)


def test_headers_that_are_too_long_are_rejected(local: Local) -> None:
    with local.connect() as end:
        end.sendall(b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 64 * 1024 + b"\r\n\r\n")
        assert b" 431 " in read_all(end).splitlines()[0]
