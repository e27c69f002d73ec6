"""Server-sent events over HTTP: whom a stream is for, and its answer."""

from collections.abc import Iterator
from typing import Protocol

from flask import Response, request

from services.common.web.origins import is_same_site
from services.common.web.problems import Problem


class Stream(Protocol):
    """Gives text piece by piece, and has a place that others need when it is closed."""

    def __iter__(self) -> Iterator[str]: ...

    def close(self) -> None:
        """Give the place to another; may be called more than once."""


def reject_cross_site() -> None:
    """Keep pages of other sites from following a stream: there are only so many places. Raises the 403."""
    origin = request.headers.get("Origin")
    if not is_same_site() or (origin is not None and origin.partition("://")[2] != request.host):
        raise Problem(403, "crossOrigin", "pages of other sites cannot follow what happens here")


def stream_response(stream: Stream) -> Response:
    """Return the answer that sends the stream, and closes it at the end."""
    answer = Response(iter(stream), content_type="text/event-stream; charset=utf-8")
    answer.call_on_close(stream.close)
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Accel-Buffering"] = "no"
    return answer
