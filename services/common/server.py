"""The HTTP server of a service, and its orderly end: what was asked is answered, what is new is refused."""

import ctypes
import json
import logging
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from flask import Flask
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, WSGITask

from services.common.config import ServiceConfig
from services.common.logs import get_logger
from services.common.problems import PROBLEM_JSON, Problem
from services.common.request_parser import RequestParser
from services.common.throttle import throttle

log = get_logger(__name__)

_STOP_BOUND = 10.0
"""After these seconds the process ends, whatever is still under way."""
_LEAST_FOR_THE_REST = 1.0
"""What is left for the rest of the process, in seconds, even when requests took all the time."""
_LINGER = 0.5
"""A kept connection must be silent for these seconds: a request that is on its way would get no answer."""
_FIRST_LINGER = 1.0
"""The same for a connection that has not said anything yet, which nobody opens for nothing."""
_HANDSHAKE = 0.01
_HANDSHAKES = 0.2
_TICK = 0.05
_MAX_BODY = 16 * 1024 * 1024
MAX_HEADERS = 64 * 1024
_MOST_AT_ONCE = 4
"""Requests that one connection may send without waiting for answers; no client of ours sends two."""
_LOOK_AT_SLOW = 1.0
_AT_STOP = "oms.at_stop"

_SO_ATTACH_FILTER = 26
_DROP_SYN = (
    (0x30, 0, 0, 13),  # load the TCP flags
    (0x54, 0, 0, 0x12),  # keep SYN and ACK of them
    (0x15, 0, 1, 0x02),  # SYN alone?
    (0x06, 0, 0, 0),  # then drop the segment
    (0x06, 0, 0, 0xFFFFFFFF),  # else let it pass
)
"""A classic BPF program: operation, jumps if true and if false, operand."""


def listener_gone(environ: Mapping[str, Any]) -> Callable[[], bool]:
    """Return what tells whether the client of a request has hung up; always False where the server cannot know."""
    gone: Callable[[], bool] = environ.get("waitress.client_disconnected", lambda: False)
    return gone


def at_stop(app: Flask, action: Callable[[], None]) -> None:
    """Have `action` called as soon as the process is told to stop; it must not wait for anything."""
    app.extensions.setdefault(_AT_STOP, []).append(action)


def serve(app: Flask, config: ServiceConfig, finish: Callable[[float], None] | None = None) -> NoReturn:
    """Run the application until SIGTERM or SIGINT, answer what was asked until then, and end the process with 0.

    `finish` stops the rest of the process when the last answer is out; it gets the seconds that it may take.
    """
    server = GracefulServer(
        app,
        map={},
        adj=Adjustments(
            host=config.app_host,
            port=config.app_port,
            threads=config.server_threads,
            connection_limit=config.connection_limit,
            max_request_body_size=_MAX_BODY,
            max_request_header_size=MAX_HEADERS,
            clear_untrusted_proxy_headers=True,
            # So that a connection is looked at while its request is served, and a stream learns that nobody listens.
            channel_request_lookahead=1,
            ident=None,
        ),
    )
    server.request_timeout, server.answer_timeout = config.request_timeout, config.answer_timeout
    throttle(app, config, lambda: len(server.task_dispatcher.queue))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: server.stop())
    server.print_listen("Serving on http://{}:{}")
    server.run()
    ends = time.monotonic() + _STOP_BOUND
    log.info("stopping")
    server.drain(app.extensions.get(_AT_STOP, []), ends)
    _finish(finish, max(ends - time.monotonic(), _LEAST_FOR_THE_REST))
    log.info("stopped")
    logging.shutdown()
    sys.stdout.flush()
    # The workflow SDK's threads would keep an ordinary exit waiting for seconds, with nothing left to do.
    os._exit(0)


def _finish(finish: Callable[[float], None] | None, seconds: float) -> None:
    try:
        if finish is not None:
            finish(seconds)
    except Exception:
        log.exception("stopping went wrong; the process ends all the same")


class _Task(WSGITask):  # type: ignore[misc]
    """One request; once the server is stopping, its answer tells the client that the connection ends with it."""

    def build_response_header(self) -> bytes:
        # Of several requests that came at once, the last answer is the one that ends the connection.
        if self.channel.server.stopping and len(self.channel.requests) <= 1:
            self.request.headers["CONNECTION"] = "close"
        header: bytes = super().build_response_header()
        return header


class _Refusal(ErrorTask):  # type: ignore[misc]
    """The answer to what never becomes a request, in the form of every other error."""

    def execute(self) -> None:
        error = self.request.error
        body = json.dumps(Problem(error.code, f"http{error.code}", error.body).body()).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", PROBLEM_JSON))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):  # type: ignore[misc]
    """One connection."""

    task_class = _Task
    error_task_class = _Refusal
    parser_class = RequestParser
    _arriving_since: float | None = None
    _unread_since: float | None = None

    def received(self, data: bytes) -> bool:
        before = self.request
        taken: bool = super().received(data)
        if self.request is None:
            self._arriving_since = None
        elif self.request is not before:
            self._arriving_since = time.monotonic()
        if len(self.requests) > _MOST_AT_ONCE:
            self.handle_close()  # answers that nobody reads would pile up
        return taken

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Hold no thread until a slow client has read: what it was answered waits in a file, until it is cut off."""

    def _flush_some(self, do_close: bool = True) -> bool:
        flushed: bool = super()._flush_some(do_close)
        if not self.total_outbufs_len:
            self._unread_since = None
        return flushed

    def is_too_slow(self, now: float, request_timeout: float, answer_timeout: float) -> bool:
        """Tell whether the client takes too long to send a request, or to read its answer; `now` is monotonic."""
        if self.requests or self.total_outbufs_len:
            # The next request is not read before this one is answered: that is not the client's fault.
            self._arriving_since = self._arriving_since and now
        if self.total_outbufs_len and self._unread_since is None:
            self._unread_since = now
        sends_slowly = self._arriving_since is not None and now - self._arriving_since > request_timeout
        reads_slowly = self._unread_since is not None and now - self._unread_since > answer_timeout
        return sends_slowly or reads_slowly

    def is_over(self, now: float, stopping_since: float) -> bool:
        """Tell whether the connection has been silent for so long that nobody is about to ask something on it."""
        # Nothing asked, nothing half received, nothing to send.
        if self.requests or self.request is not None or self.total_outbufs_len or self.close_when_flushed:
            return False
        linger = _FIRST_LINGER if self.last_activity == self.creation_time else _LINGER
        return now - max(self.last_activity, stopping_since) >= linger and not self._was_just_asked()

    def _was_just_asked(self) -> bool:
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False


class GracefulServer(TcpWSGIServer):  # type: ignore[misc]
    """Waitress, ended in order: its own way to end drops the requests that wait for a thread."""

    channel_class = _Channel
    stopping = False
    request_timeout, answer_timeout = 20.0, 60.0
    _looked_at_slow = 0.0

    def stop(self) -> None:
        """Make `run` return; may be called by a signal handler, and again."""
        self.stopping = True
        self.pull_trigger()

    def run(self) -> None:
        """Serve until `stop` is called."""
        while not self.stopping:
            # Not select(), which cannot watch more than a thousand connections.
            wasyncore.poll2(self.adj.asyncore_loop_timeout, self._map)
            self._drop_slow(time.monotonic())

    def _drop_slow(self, now: float) -> None:
        """Close connections that are too slow: each takes one of the places that there are."""
        if now - self._looked_at_slow < _LOOK_AT_SLOW:
            return
        self._looked_at_slow = now
        for channel in list(self.active_channels.values()):
            if channel.is_too_slow(now, self.request_timeout, self.answer_timeout):
                log.info("a connection was too slow")
                channel.handle_close()

    def drain(self, at_stop: list[Callable[[], None]], ends: float) -> None:
        """Refuse new connections, then serve those that there are until each is over; at most until `ends`, monotonic.

        Connections that the kernel has accepted already are served too.
        """
        since = time.time()
        self._close_door()
        for action in at_stop:
            action()
        while self.active_channels and time.monotonic() < ends:
            wasyncore.poll2(_TICK, self._map)
            for channel in list(self.active_channels.values()):
                if channel.is_over(time.time(), since):
                    channel.handle_close()
        if self.active_channels:
            log.warning("connections were cut off", extra={"connections": len(self.active_channels)})

    def _close_door(self) -> None:
        _ignore_newcomers(self.socket)
        waiting = select.poll()
        waiting.register(self.socket, select.POLLIN)
        until = time.monotonic() + _HANDSHAKES
        # The kernel would reset what it has accepted and we have not; the wait is for handshakes under way.
        while time.monotonic() < until and waiting.poll(_HANDSHAKE * 1000):
            self.handle_accept()
        wasyncore.dispatcher.close(self)


def _ignore_newcomers(listening: socket.socket) -> None:
    """Make the kernel drop attempts to connect, until the socket is closed: they are repeated then, and refused.

    Between the last look at the queue and the closing of the socket a connection could still get into the queue, to
    be reset with it: many milliseconds under load, when other threads hold Python's lock.
    """
    if sys.platform != "linux":
        return  # elsewhere that gap stays
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _DROP_SYN))
    described = struct.pack("HL", len(_DROP_SYN), ctypes.addressof(program))
    try:
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)
    except OSError as error:
        log.info("the kernel filters no connections", extra={"cause": str(error)})
