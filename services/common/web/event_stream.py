"""Server-sent events over HTTP: the response of a stream."""

from collections.abc import Iterator
from typing import Protocol

from flask import Response


class Stream(Protocol):
    """An iterable of text chunks that holds a stream slot until it is closed."""

    def __iter__(self) -> Iterator[str]: ...

    def close(self) -> None:
        """Release the slot; may be called more than once."""


def stream_response(stream: Stream) -> Response:
    """Return a response that sends the stream and closes it at the end."""
    response = Response(iter(stream), content_type="text/event-stream; charset=utf-8")
    response.call_on_close(stream.close)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response
