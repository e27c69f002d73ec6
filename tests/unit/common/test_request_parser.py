"""Requests that two programs could read differently, or that cost more to read than to send, are refused at once."""

import json
import logging
import socket
import threading
import time
from contextlib import suppress

import pytest

from services.common import logs
from services.common.server.http_server import MAX_HEADERS
from services.common.server.request_parser import RequestParser
from tests.unit.common.local_server import TIMEOUT, Local, read_all, read_answer

HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /echo HTTP/1.%d\r\nHost: x\r\nConnection: close\r\n"
CHUNKED = POST % 1 + b"Transfer-Encoding: chunked\r\n"
ENDLESS = b"1" * 8192


def ask(local: Local, request: bytes) -> bytes:
    """Return all that comes for a request until the server closes the connection."""
    with local.connect() as connection:
        connection.sendall(request)
        return read_all(connection)


@pytest.mark.parametrize(
    "head",
    [
        CHUNKED + b"Content-Length: 5\r\n",
        POST % 1 + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        POST % 0 + b"Transfer-Encoding: chunked\r\n",
    ],
)
def test_a_body_with_two_lengths_is_rejected(local: Local, head: bytes) -> None:
    answer = ask(local, head + b"\r\n0\r\n\r\n" + HEALTHZ)
    assert answer.startswith(b"HTTP/1.")
    assert b" 400 " in answer.splitlines()[0]
    assert answer.count(b"HTTP/1.") == 1, "what comes behind is no request"


@pytest.mark.parametrize(
    "lines",
    [
        b"Transfer-Encoding:\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: \t\r\n",
        b"Transfer-Encoding: ,chunked\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding:\r\n chunked\r\n",
        b"X: y\r\n Content-Length: 5\r\n",
        b" Content-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: " + b"5" * 5000 + b"\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding\x0b: chunked\r\n",
        b"X: y\nTransfer-Encoding: chunked\r\n",
        b"Host: y\r\n",
    ],
)
def test_headers_that_two_programs_may_read_differently_are_refused(local: Local, lines: bytes) -> None:
    answer = ask(local, POST % 1 + lines + b"\r\n0\r\n\r\n" + HEALTHZ)
    assert b" 400 " in answer.splitlines()[0]
    assert answer.count(b"HTTP/1.") == 1, "what comes behind is no request"


@pytest.mark.parametrize(
    "begun",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\r\n\x16\x03\x01", b"\x80\x2e\x01", b"\x00", b"{", b"\xff" * 9],
)
def test_a_client_that_does_not_speak_http_gets_a_400_at_once(local: Local, begun: bytes) -> None:
    began = time.monotonic()
    answer = ask(local, begun)
    assert b" 400 " in answer.splitlines()[0]
    assert b"application/problem+json" in answer
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("address", [b"http://[x/", b"http://]/", "http://a\N{ACCOUNT OF}b/".encode()])
def test_an_invalid_request_target_is_a_400_and_not_logged(
    local: Local, address: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        answer = ask(local, b"GET " + address + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 400 " in answer.splitlines()[0]
    assert caplog.records == []


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /healthz\r\n\r\n", 400),
        (b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (CHUNKED + b"\r\n" + b"F" * 40 + b"\r\na", 413),
        (CHUNKED + b"\r\n\r\n1\r\na\r\n0\r\n\r\n", 400),
        (CHUNKED + b"\r\n" + b"1\r\na\r\n" * 10_001, 400),
        (CHUNKED + b"\r\n1\r\na\r\n\r\n1\r\na\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * MAX_HEADERS + b"\r\n\r\n", 431),
        (POST % 1 + b"Content-Length: 99999999999\r\n\r\n", 413),
        (POST % 1 + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    ],
)
def test_an_invalid_request_gets_a_problem_like_any_other_error(local: Local, request_: bytes, status: int) -> None:
    head, _, body = ask(local, request_).partition(b"\r\n\r\n")
    assert f" {status} ".encode() in head.splitlines()[0]
    assert b"Content-Type: application/problem+json" in head
    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (status, f"http{status}")
    assert problem["detail"]


@pytest.mark.parametrize("body", [b"", b"Content-Length: 0\r\n"])
def test_expect_continue_without_a_body_is_answered(local: Local, body: bytes) -> None:
    with local.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n" + body + b"\r\n")
        assert b"alive" in read_answer(connection)


def test_expect_continue_with_a_body_gets_100_continue(local: Local) -> None:
    with local.connect() as connection:
        connection.sendall(POST % 1 + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"ok")
        assert read_all(connection).endswith(b"\r\n\r\nok")


@pytest.mark.parametrize("begun", [b"", b"2;", b"2\r\nok\r\n", b"2\r\nok\r\n0\r\n", b"0\r\nX: "])
def test_a_line_between_chunks_that_never_ends_is_cut_off_early(local: Local, begun: bytes) -> None:
    with local.connect() as connection:
        connection.sendall(CHUNKED + b"\r\n" + begun)
        sent = Sender(connection)
        sent.join(TIMEOUT)
        assert not sent.is_alive()
        assert sent.pieces < Sender.MOST, "the server took all of it in"
    with local.connect() as connection:
        began = time.monotonic()
        connection.sendall(HEALTHZ)
        assert b"alive" in read_answer(connection)
        assert time.monotonic() - began < 2


@pytest.mark.parametrize("begun", [b"2;a=", b"2\r\nok\r\n0\r\nX: "])
def test_a_line_between_chunks_that_is_too_long_is_refused_even_if_it_ends_in_the_same_packet(
    local: Local, begun: bytes
) -> None:
    answer = ask(local, CHUNKED + b"\r\n" + begun + b"b" * 17_000 + b"\r\n\r\nok\r\n0\r\n\r\n")
    assert b" 400 " in answer.splitlines()[0]
    assert b"too long" in answer


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_body_in_chunks_is_put_together_however_it_is_cut_on_its_way(local: Local, size: int) -> None:
    parser = RequestParser(local.server.adj)
    whole = CHUNKED + b"\r\n" + b"5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n"
    sent = whole + HEALTHZ
    taken = 0
    while not parser.completed:
        taken += parser.received(sent[taken : taken + size])
    assert (parser.error, parser.get_body_stream().read(), taken) == (None, b"hello!", len(whole))
    parser.close()


class Sender(threading.Thread):
    """Sends the same line on, without an end, until the other side has had enough."""

    MOST = 15 * 128

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(daemon=True)
        self._connection, self.pieces = connection, 0
        self.start()

    def run(self) -> None:
        with suppress(OSError):
            while self.pieces < self.MOST:
                self._connection.sendall(ENDLESS)
                self.pieces += 1


def test_a_body_in_chunks_is_put_together(local: Local) -> None:
    chunks = b"".join(b"%x;a=b\r\n%s\r\n" % (size, b"x" * size) for size in (1, 17, 40_000, 3))
    answer = ask(local, CHUNKED + b"\r\n" + chunks + b"0\r\nX-Trailer: y\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n" + b"x" * 40_021)


@pytest.mark.parametrize("what", ["Client disconnected", "Exception"])
def test_no_log_line_of_the_server_has_the_path_of_a_request(capsys: pytest.CaptureFixture[str], what: str) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logs.set_up("INFO", "text")
        logging.getLogger("waitress").info("%s while serving %s", what, "/tally/Rosalind Quimby\nERROR forged")
        logging.getLogger("waitress").info("Serving on http://127.0.0.1:3000")
    finally:
        root.handlers[:], root.level = before[0], before[1]
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith(what)
    assert second.endswith("Serving on http://127.0.0.1:3000")
