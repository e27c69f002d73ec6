"""Server-sent events over HTTP: the cross-site check of a stream, and its response."""

from collections.abc import Iterator
from typing import Protocol

from flask import Response, request

from services.common.web.origins import is_same_site
from services.common.web.problems import Problem


class Stream(Protocol):
    """An iterable of text chunks that holds a stream slot until it is closed."""

    def __iter__(self) -> Iterator[str]: ...

    def close(self) -> None:
        """Release the slot; may be called more than once."""


def reject_cross_site() -> None:
    """Reject pages of other sites, because stream slots are limited. Raises the 403."""
    origin = request.headers.get("Origin")
    if not is_same_site() or (origin is not None and origin.partition("://")[2] != request.host):
        raise Problem(403, "crossOrigin", "pages of other sites may not open this stream")


def stream_response(stream: Stream) -> Response:
    """Return a response that sends the stream and closes it at the end."""
    response = Response(iter(stream), content_type="text/event-stream; charset=utf-8")
    response.call_on_close(stream.close)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response
