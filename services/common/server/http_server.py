"""The HTTP server of a service and its graceful shutdown: it drains in-flight requests and rejects new connections."""

import ctypes
import logging
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from flask import Flask
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from services.common.config import ServiceConfig
from services.common.logs import get_logger
from services.common.server.connection import Channel
from services.common.server.descriptors import allow_descriptors
from services.common.server.throttle import throttle

log = get_logger(__name__)

_SHUTDOWN_TIMEOUT = 10.0
"""Seconds after which the process ends, even with requests in flight."""
_MIN_FINISH_SECONDS = 1.0
"""Seconds for the rest of the process, even when draining took the whole shutdown timeout."""
_HANDSHAKE_SECONDS = 0.01
_HANDSHAKE_TIMEOUT = 0.2
_DRAIN_POLL_SECONDS = 0.05
_MAX_BODY = 16 * 1024 * 1024
MAX_HEADERS = 64 * 1024
_SLOW_CHECK_SECONDS = 1.0
_RETRY_ACCEPT_SECONDS = 0.1
"""Seconds after which the server tries again to accept, when no connection can be closed for another."""
_LOG_AGAIN_SECONDS = 10.0
"""Seconds between two log messages about missing capacity."""
_UNREACHABLE_SECONDS = 30.0
"""Seconds without an accepted connection, after which the liveness probe fails so that the process is restarted."""
_ON_SHUTDOWN = "oms.on_shutdown"

_SO_ATTACH_FILTER = 26
_DROP_SYN = (
    (0x30, 0, 0, 13),  # load the TCP flags
    (0x54, 0, 0, 0x12),  # keep SYN and ACK of them
    (0x15, 0, 1, 0x02),  # SYN alone?
    (0x06, 0, 0, 0),  # then drop the segment
    (0x06, 0, 0, 0xFFFFFFFF),  # else let it pass
)
"""A classic BPF program: operation, jumps if true and if false, operand."""


def on_shutdown(app: Flask, action: Callable[[], None]) -> None:
    """Register an action that runs as soon as shutdown begins; it must not block."""
    app.extensions.setdefault(_ON_SHUTDOWN, []).append(action)


def serve(app: Flask, config: ServiceConfig, finish: Callable[[float], None] | None = None) -> NoReturn:
    """Run the application until SIGTERM or SIGINT, drain in-flight requests, and end the process with status 0.

    `finish` stops the rest of the process after the last response; its argument is its timeout in seconds.
    """
    server = GracefulServer(
        app,
        map={},
        adj=Adjustments(
            host=config.app_host,
            port=config.app_port,
            threads=config.server_threads,
            connection_limit=allow_descriptors(config.connection_limit),
            max_request_body_size=_MAX_BODY,
            max_request_header_size=MAX_HEADERS,
            clear_untrusted_proxy_headers=True,
            # Reads from a connection while its request is handled, so that a stream notices a disconnected client.
            channel_request_lookahead=1,
            ident=None,
        ),
    )
    server.request_timeout, server.answer_timeout = config.request_timeout, config.answer_timeout
    server.idle_timeout = config.idle_timeout
    if config.probe_fd is not None:
        server.serve_probe(config.probe_fd)
    throttle(app, config, lambda: len(server.task_dispatcher.queue))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: server.stop())
    server.print_listen("Serving on http://{}:{}")
    server.run()
    deadline = time.monotonic() + _SHUTDOWN_TIMEOUT
    log.info("stopping")
    server.drain(app.extensions.get(_ON_SHUTDOWN, []), deadline)
    _finish(finish, max(deadline - time.monotonic(), _MIN_FINISH_SECONDS))
    log.info("stopped")
    logging.shutdown()
    sys.stdout.flush()
    # An ordinary exit would wait seconds for idle threads of the workflow SDK.
    os._exit(0)


def _finish(finish: Callable[[float], None] | None, seconds: float) -> None:
    try:
        if finish is not None:
            finish(seconds)
    except Exception:
        log.exception("an error occurred while stopping; the process ends anyway")


class GracefulServer(TcpWSGIServer):  # type: ignore[misc]
    """waitress with a graceful shutdown: its own drops the requests that wait for a thread.

    At the connection limit, idle and stalled connections are closed to admit new ones.
    """

    channel_class = Channel
    stopping = False
    request_timeout, answer_timeout, idle_timeout = 20.0, 60.0, 120.0
    _probe: Channel | None = None
    _checked_slow_at = 0.0
    _accept_paused_until = 0.0
    _unreachable_since: float | None = None
    _logged_at = float("-inf")

    def stop(self) -> None:
        """Make `run` return. Safe in a signal handler, and may be called again."""
        self.stopping = True
        self.pull_trigger()

    def run(self) -> None:
        """Serve until `stop` is called."""
        while not self.stopping:
            timeout = (
                _RETRY_ACCEPT_SECONDS if self.is_full or self._accept_paused_until else self.adj.asyncore_loop_timeout
            )
            # select() cannot watch more than 1,024 connections.
            wasyncore.poll2(timeout, self._map)
            self._drop_slow(time.monotonic())

    def serve_probe(self, descriptor: int) -> None:
        """Serve the supervisor's probe over a socket of its own, which is exempt from limits and timeouts."""
        try:
            probe = socket.socket(fileno=descriptor)
        except OSError as error:
            log.error("PROBE_FD is not an open socket", extra={"cause": str(error)})
            return
        probe.set_inheritable(False)
        self._probe = self.channel_class(self, probe, ("127.0.0.1", 0), self.adj, map=self._map)
        self._probe.counted = False

    @property
    def is_full(self) -> bool:
        """Whether the connection limit is reached."""
        probes = 1 if self._probe is not None and self._probe.connected else 0
        return bool(len(self.active_channels) - probes >= self.adj.connection_limit)

    @property
    def clients_wait(self) -> bool:
        """Whether the limit is reached and clients wait in the accept queue."""
        if not self.is_full:
            return False
        waiting = select.poll()
        waiting.register(self.socket, select.POLLIN)
        return bool(waiting.poll(0))

    def readable(self) -> bool:
        """Return whether to accept the next connection."""
        if not self.accepting or time.monotonic() < self._accept_paused_until:
            return False
        self._accept_paused_until = 0.0
        if self.is_full and self._next_to_evict() is None:
            self._pause("the connection limit is reached" if self.clients_wait else "")
            return False
        return True

    def handle_accept(self) -> None:
        """Accept a connection; at the limit, close another one first."""
        # During shutdown, every connection in the accept queue is served, beyond the limit too.
        if self.is_full and not self.stopping and not self._evict():
            return
        try:
            client, address = self.socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:  # no descriptor or no memory is left
            self._evict()
            self._pause(f"could not accept a connection: {error.strerror}")
            self._fail_probe_when_unreachable(time.monotonic())
            return
        self._unreachable_since = None
        try:
            self.set_socket_options(client)
        except OSError:  # macOS: the client has already disconnected
            client.close()
            return
        self.channel_class(self, client, address, self.adj, map=self._map)

    def _next_to_evict(self) -> Channel | None:
        now = time.monotonic()
        channels = list(self.active_channels.values())
        ranked = [(rank, channel) for channel in channels if (rank := channel.eviction_rank(now))]
        ranked.sort(key=lambda pair: pair[0])
        return next((channel for (stalls, _), channel in ranked if stalls or not channel.has_unread_data()), None)

    def _evict(self) -> bool:
        """Close a connection to admit another; return whether one could be closed."""
        channel = self._next_to_evict()
        if channel is not None:
            channel.handle_close()
        return channel is not None

    def _pause(self, cause: str) -> None:
        """Pause accepting for a moment; log the cause, at most every few seconds, unless it is empty."""
        now = time.monotonic()
        self._accept_paused_until = now + _RETRY_ACCEPT_SECONDS
        if cause and now - self._logged_at > _LOG_AGAIN_SECONDS:
            self._logged_at = now
            log.warning("no capacity for more connections", extra={"cause": cause})

    def _fail_probe_when_unreachable(self, now: float) -> None:
        self._unreachable_since = self._unreachable_since or now
        if self._probe is not None and self._probe.connected and now - self._unreachable_since > _UNREACHABLE_SECONDS:
            log.error("no connection could be accepted for too long; the liveness probe fails from now on")
            self._probe.handle_close()

    def _drop_slow(self, now: float) -> None:
        """Close connections that are too slow, because each counts towards the connection limit."""
        if now - self._checked_slow_at < _SLOW_CHECK_SECONDS:
            return
        self._checked_slow_at = now
        for channel in list(self.active_channels.values()):
            if channel.counted and channel.is_too_slow(now):
                log.info("closed a slow connection")
                channel.handle_close()

    def drain(self, on_shutdown: list[Callable[[], None]], deadline: float) -> None:
        """Reject new connections and serve the open ones until they are finished, at most until a monotonic deadline.

        Connections in the accept queue are served too.
        """
        since = time.time()
        self._close_listener()
        for action in on_shutdown:
            action()
        while self.active_channels and time.monotonic() < deadline:
            wasyncore.poll2(_DRAIN_POLL_SECONDS, self._map)
            for channel in list(self.active_channels.values()):
                if channel.is_finished(time.time(), since):
                    channel.handle_close()
        if self.active_channels:
            log.warning("closed connections at the shutdown timeout", extra={"connections": len(self.active_channels)})

    def _close_listener(self) -> None:
        _drop_new_connections(self.socket)
        waiting = select.poll()
        waiting.register(self.socket, select.POLLIN)
        deadline = time.monotonic() + _HANDSHAKE_TIMEOUT
        # Closing the socket resets connections in the accept queue, so accept them first; the wait is for handshakes.
        while time.monotonic() < deadline and waiting.poll(_HANDSHAKE_SECONDS * 1000):
            self.handle_accept()
        wasyncore.dispatcher.close(self)


def _drop_new_connections(listening: socket.socket) -> None:
    """Make the kernel drop SYN packets until the socket is closed; clients repeat them and are then refused.

    Otherwise a connection could enter the accept queue between the last accept and the close, and be reset. Under load
    that gap lasts many milliseconds, while other threads hold Python's lock.
    """
    if sys.platform != "linux":
        return  # the gap remains on other platforms
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _DROP_SYN))
    described = struct.pack("HL", len(_DROP_SYN), ctypes.addressof(program))
    try:
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)
    except OSError as error:
        log.info("could not attach a filter to the listening socket", extra={"cause": str(error)})
