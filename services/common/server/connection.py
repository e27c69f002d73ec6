"""One connection of the HTTP server: its timeouts, and when it can be closed to admit another."""

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
"""Seconds of silence before a keep-alive connection may be closed, so that no request in transit is lost."""
_FIRST_LINGER = 1.0
"""The same for a connection without a request so far, whose first request is probably in transit."""
_STALLED = 5.0
"""Seconds after which a connection whose request is still arriving, or whose client reads nothing, may be closed at the
connection limit."""
_MAX_PIPELINED = 4
"""Requests that a connection may pipeline; our clients never pipeline."""
_DISCONNECTED = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR | select.POLLNVAL


def client_disconnected(environ: Mapping[str, Any]) -> Callable[[], bool]:
    """Return a function that says whether the client has disconnected; always False where the server cannot know."""
    disconnected: Callable[[], bool] = environ.get("waitress.client_disconnected", lambda: False)
    return disconnected


class _Task(WSGITask):  # type: ignore[misc]
    """One request. Where the server needs the connection slot, the response has `Connection: close`."""

    def build_response_header(self) -> bytes:
        # Of several pipelined requests, only the last response closes the connection.
        if self.channel.must_end and len(self.channel.requests) <= 1:
            self.request.headers["CONNECTION"] = "close"
        header: bytes = super().build_response_header()
        return header


class _ParseError(ErrorTask):  # type: ignore[misc]
    """The response to an unparsable request, as problem details like every other error."""

    def execute(self) -> None:
        error = self.request.error
        body = json.dumps(Problem(error.code, f"http{error.code}", error.body).body()).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", PROBLEM_JSON))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection. All times are monotonic, in seconds."""

    task_class = _Task
    error_task_class = _ParseError
    parser_class = RequestParser
    counted = True
    """Whether it counts towards the connection limit."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._quiet_since = time.monotonic()
        self._arriving_since: float | None = self._quiet_since
        self._unread_since: float | None = None
        self._fresh = True
        super().__init__(*arguments, **named)

    @property
    def must_end(self) -> bool:
        """Whether to close the connection after the current response."""
        return self.counted and bool(self.server.stopping or self.server.clients_wait)

    def received(self, data: bytes) -> bool:
        """Process data from the client."""
        accepted: bool = super().received(data)
        with self.requests_lock:
            if self.request is not None and self._arriving_since is None:
                self._arriving_since = time.monotonic()
            # Blank lines are not part of a request.
            if self.request is not None or self.requests:
                self._quiet_since = time.monotonic()
        if len(self.requests) > _MAX_PIPELINED:
            self.handle_close()  # unread responses would accumulate
        return accepted

    def service(self) -> None:
        """Handle one request, in a server thread."""
        super().service()
        with self.requests_lock:
            self._quiet_since = time.monotonic()
            self._arriving_since = None if self.request is None else self._quiet_since
            self._fresh = False

    def check_client_disconnected(self) -> bool:
        """Return whether the client has disconnected, even while the server reads nothing from the connection."""
        client = self.socket
        if not self.connected or client is None:
            return True
        poll = select.poll()
        try:
            poll.register(client, _DISCONNECTED)
        except ValueError:  # closed a moment ago
            return True
        return bool(poll.poll(0))

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Do not block the thread until a slow client has read: the response waits in a file until the timeout."""

    def _flush_some(self, do_close: bool = True) -> bool:
        flushed: bool = super()._flush_some(do_close)
        if not self.total_outbufs_len:
            self._unread_since = None
        return flushed

    def is_too_slow(self, now: float) -> bool:
        """Return whether the client takes too long to send a request or to read a response."""
        if self.requests or self.total_outbufs_len:
            # The next request is read only after this response, so the client is not to blame for the delay.
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

    def eviction_rank(self, now: float) -> tuple[bool, float] | None:
        """Return the sort key for closing connections at the limit, lowest first; None if it must not be closed.

        Idle connections come first, those idle longest before the others; stalled connections follow.
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

    def is_finished(self, now: float, stopping_since: float) -> bool:
        """Return whether the connection is idle and has been silent long enough to close it during shutdown."""
        # It must have no request, no partial request and nothing to send.
        if self.requests or self.request is not None or self.total_outbufs_len or self.close_when_flushed:
            return False
        linger = _FIRST_LINGER if self.last_activity == self.creation_time else _LINGER
        return now - max(self.last_activity, stopping_since) >= linger and not self.has_unread_data()

    def has_unread_data(self) -> bool:
        """Return whether the client has sent data that was not read yet."""
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False
