"""One connection of the HTTP server: how long it may take, and when it gives way to another."""

import json
import select
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from waitress.channel import HTTPChannel
from waitress.task import ErrorTask, WSGITask

from services.common.server.request_parser import RequestParser
from services.common.web.problems import PROBLEM_JSON, Problem

_LINGER = 0.5
"""A kept connection must be silent for these seconds: a request that is on its way would get no answer."""
_FIRST_LINGER = 1.0
"""The same for a connection that has not said anything yet, which nobody opens for nothing."""
_STALLED = 5.0
"""When all connections are taken, one gives way whose request has been arriving for these seconds, or whose client has
read nothing for so long."""
_MOST_AT_ONCE = 4
"""Requests that one connection may send without waiting for answers; no client of ours sends two."""
_HUNG_UP = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR | select.POLLNVAL


def client_disconnected(environ: Mapping[str, Any]) -> Callable[[], bool]:
    """Return what tells whether the client of a request has hung up; always False where the server cannot know."""
    gone: Callable[[], bool] = environ.get("waitress.client_disconnected", lambda: False)
    return gone


class _Task(WSGITask):  # type: ignore[misc]
    """One request; where the server needs the connection's place, the answer tells the client that it ends."""

    def build_response_header(self) -> bytes:
        # Of several requests that came at once, the last answer is the one that ends the connection.
        if self.channel.must_end and len(self.channel.requests) <= 1:
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


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection. All times are monotonic."""

    task_class = _Task
    error_task_class = _Refusal
    parser_class = RequestParser
    counted = True
    """Whether it takes one of the places that there are."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._quiet_since = time.monotonic()
        self._arriving_since: float | None = self._quiet_since
        self._unread_since: float | None = None
        self._fresh = True
        super().__init__(*arguments, **named)

    @property
    def must_end(self) -> bool:
        """Whether the connection is to end with the answer that is being made."""
        return self.counted and bool(self.server.stopping or self.server.others_wait)

    def received(self, data: bytes) -> bool:
        """Take in what the client has sent."""
        taken: bool = super().received(data)
        with self.requests_lock:
            if self.request is not None and self._arriving_since is None:
                self._arriving_since = time.monotonic()
            # Blank lines are neither a request nor a part of one.
            if self.request is not None or self.requests:
                self._quiet_since = time.monotonic()
        if len(self.requests) > _MOST_AT_ONCE:
            self.handle_close()  # answers that nobody reads would pile up
        return taken

    def service(self) -> None:
        """Answer one request, in a thread of the server."""
        super().service()
        with self.requests_lock:
            self._quiet_since = time.monotonic()
            self._arriving_since = None if self.request is None else self._quiet_since
            self._fresh = False

    def check_client_disconnected(self) -> bool:
        """Tell whether the client has hung up, even where the server reads nothing from the connection at present."""
        end = self.socket
        if not self.connected or end is None:
            return True
        poll = select.poll()
        try:
            poll.register(end, _HUNG_UP)
        except ValueError:  # closed a moment ago
            return True
        return bool(poll.poll(0))

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Hold no thread until a slow client has read: what it was answered waits in a file, until it is cut off."""

    def _flush_some(self, do_close: bool = True) -> bool:
        flushed: bool = super()._flush_some(do_close)
        if not self.total_outbufs_len:
            self._unread_since = None
        return flushed

    def is_too_slow(self, now: float) -> bool:
        """Tell whether the client takes too long to send a request, the first one or another, or to read its answer."""
        if self.requests or self.total_outbufs_len:
            # The next request is not read before this one is answered: that is not the client's fault.
            self._arriving_since = self._arriving_since and now
            self._quiet_since = now
        if self.total_outbufs_len and self._unread_since is None:
            self._unread_since = now
        limits = (
            (self._arriving_since, self.server.request_timeout),
            (self._unread_since, self.server.answer_timeout),
            (self._quiet_since, self.server.idle_timeout),
        )
        return any(since is not None and now - since > timeout for since, timeout in limits)

    def rank_to_give_way(self, now: float) -> tuple[bool, float] | None:
        """Return by what it is sorted among those that may give way to others, lowest first; None if it may not.

        Idle connections come first, the one that has been idle longest before all others; then those that stall.
        """
        if not self.counted or self.requests:
            return None
        if self.total_outbufs_len:
            stalled_for = time.time() - self.last_activity
            return (True, now - stalled_for) if stalled_for >= _STALLED else None
        if self.request is not None:
            since = self._arriving_since if self._arriving_since is not None else now
            return (True, since) if now - since >= _STALLED else None
        if self.close_when_flushed:
            return None
        linger = _FIRST_LINGER if self._fresh else _LINGER
        return (False, self._quiet_since) if now - self._quiet_since >= linger else None

    def is_over(self, now: float, stopping_since: float) -> bool:
        """Tell whether the connection has been silent for so long that nobody is about to ask something on it."""
        # Nothing asked, nothing half received, nothing to send.
        if self.requests or self.request is not None or self.total_outbufs_len or self.close_when_flushed:
            return False
        linger = _FIRST_LINGER if self.last_activity == self.creation_time else _LINGER
        return now - max(self.last_activity, stopping_since) >= linger and not self.has_something_to_read()

    def has_something_to_read(self) -> bool:
        """Tell whether the client has sent something that was not read yet."""
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False
