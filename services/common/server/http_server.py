"""The HTTP server of a service, and its orderly end: what was asked is answered, what is new is refused."""

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

_STOP_BOUND = 10.0
"""After these seconds the process ends, whatever is still under way."""
_LEAST_FOR_THE_REST = 1.0
"""What is left for the rest of the process, in seconds, even when requests took all the time."""
_HANDSHAKE = 0.01
_HANDSHAKES = 0.2
_TICK = 0.05
_MAX_BODY = 16 * 1024 * 1024
MAX_HEADERS = 64 * 1024
_LOOK_AT_SLOW = 1.0
_LOOK_FOR_ROOM = 0.1
"""When no connection can give way to another, the server looks again after these seconds."""
_SAY_AGAIN = 10.0
"""After these seconds it is logged again that there is no room."""
_DEAF = 30.0
"""A process that could accept no connection for these seconds answers supervision no more, to be started again."""
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
    """Have `action` called as soon as the process is told to stop; it must not wait for anything."""
    app.extensions.setdefault(_ON_SHUTDOWN, []).append(action)


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
            connection_limit=allow_descriptors(config.connection_limit),
            max_request_body_size=_MAX_BODY,
            max_request_header_size=MAX_HEADERS,
            clear_untrusted_proxy_headers=True,
            # So that a connection is looked at while its request is served, and a stream learns that nobody listens.
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
    ends = time.monotonic() + _STOP_BOUND
    log.info("stopping")
    server.drain(app.extensions.get(_ON_SHUTDOWN, []), ends)
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


class GracefulServer(TcpWSGIServer):  # type: ignore[misc]
    """Waitress, ended in order: its own way to end drops the requests that wait for a thread.

    When all places for connections are taken, those that only hold theirs give way to new ones.
    """

    channel_class = Channel
    stopping = False
    request_timeout, answer_timeout, idle_timeout = 20.0, 60.0, 120.0
    _probe: Channel | None = None
    _looked_at_slow = 0.0
    _no_room_until = 0.0
    _deaf_since: float | None = None
    _said_at = float("-inf")

    def stop(self) -> None:
        """Make `run` return; may be called by a signal handler, and again."""
        self.stopping = True
        self.pull_trigger()

    def run(self) -> None:
        """Serve until `stop` is called."""
        while not self.stopping:
            timeout = _LOOK_FOR_ROOM if self.is_full or self._no_room_until else self.adj.asyncore_loop_timeout
            # Not select(), which cannot watch more than a thousand connections.
            wasyncore.poll2(timeout, self._map)
            self._drop_slow(time.monotonic())

    def serve_probe(self, descriptor: int) -> None:
        """Answer supervision over an open socket of its own, which takes no client's place and is never cut off."""
        try:
            end = socket.socket(fileno=descriptor)
        except OSError as error:
            log.error("PROBE_FD is no open socket", extra={"cause": str(error)})
            return
        end.set_inheritable(False)
        self._probe = self.channel_class(self, end, ("127.0.0.1", 0), self.adj, map=self._map)
        self._probe.counted = False

    @property
    def is_full(self) -> bool:
        """Whether clients have as many connections as they may have."""
        probes = 1 if self._probe is not None and self._probe.connected else 0
        return bool(len(self.active_channels) - probes >= self.adj.connection_limit)

    @property
    def others_wait(self) -> bool:
        """Whether clients wait in the kernel because all places are taken."""
        if not self.is_full:
            return False
        waiting = select.poll()
        waiting.register(self.socket, select.POLLIN)
        return bool(waiting.poll(0))

    def readable(self) -> bool:
        """Tell whether to accept a connection when one comes."""
        if not self.accepting or time.monotonic() < self._no_room_until:
            return False
        self._no_room_until = 0.0
        if self.is_full and self._next_to_give_way() is None:
            self._pause("all connections are taken" if self.others_wait else "")
            return False
        return True

    def handle_accept(self) -> None:
        """Accept a connection, in the place of another one where all places are taken."""
        # What the kernel has accepted before the end is served, however much it is.
        if self.is_full and not self.stopping and not self._make_room():
            return
        try:
            end, address = self.socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:  # no descriptor or no memory is left
            self._make_room()
            self._pause(f"a connection cannot be accepted: {error.strerror}")
            self._is_deaf(time.monotonic())
            return
        self._deaf_since = None
        try:
            self.set_socket_options(end)
        except OSError:  # macOS: the client has gone already
            end.close()
            return
        self.channel_class(self, end, address, self.adj, map=self._map)

    def _next_to_give_way(self) -> Channel | None:
        now = time.monotonic()
        ranked = [(rank, one) for one in list(self.active_channels.values()) if (rank := one.rank_to_give_way(now))]
        ranked.sort(key=lambda each: each[0])
        return next((one for (stalls, _), one in ranked if stalls or not one.has_something_to_read()), None)

    def _make_room(self) -> bool:
        found = self._next_to_give_way()
        if found is not None:
            found.handle_close()
        return found is not None

    def _pause(self, why: str) -> None:
        """Accept nothing for a moment; log why, not too often, if that is not empty."""
        now = time.monotonic()
        self._no_room_until = now + _LOOK_FOR_ROOM
        if why and now - self._said_at > _SAY_AGAIN:
            self._said_at = now
            log.warning("no room for more connections", extra={"cause": why})

    def _is_deaf(self, now: float) -> None:
        self._deaf_since = self._deaf_since or now
        if self._probe is not None and self._probe.connected and now - self._deaf_since > _DEAF:
            log.error("no connection could be accepted for too long; supervision is answered no more")
            self._probe.handle_close()

    def _drop_slow(self, now: float) -> None:
        """Close connections that are too slow: each takes one of the places that there are."""
        if now - self._looked_at_slow < _LOOK_AT_SLOW:
            return
        self._looked_at_slow = now
        for channel in list(self.active_channels.values()):
            if channel.counted and channel.is_too_slow(now):
                log.info("a connection was too slow")
                channel.handle_close()

    def drain(self, on_shutdown: list[Callable[[], None]], ends: float) -> None:
        """Refuse new connections, then serve those that there are until each is over; at most until `ends`, monotonic.

        Connections that the kernel has accepted already are served too.
        """
        since = time.time()
        self._close_door()
        for action in on_shutdown:
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
