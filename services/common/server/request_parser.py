"""Parses requests with waitress and rejects what it would accept: ambiguous body lengths and endless lines."""

from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import ChunkedReceiver
from waitress.utilities import BadRequest, RequestEntityTooLarge, find_double_newline

_MAX_LINE = 16 * 1024
"""Bytes of a line between chunks, and of all trailers. waitress scans all of them again whenever data arrives."""
_MAX_CHUNKS = 10_000
"""Chunks of one body. Each takes some microseconds of the server's only I/O thread, however small it is."""
_VERSIONS = ("1.0", "1.1")
_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
"""The characters of an HTTP method."""


class RequestParser(HTTPRequestParser):  # type: ignore[misc]
    """Parses one request."""

    body_rcv: Any = None

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the request line and the headers. Raises ParsingError, which becomes a 400."""
        _check_lines(header_plus.split(b"\r\n")[1:])
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            raise ParsingError("Invalid request target") from error
        if self.version not in _VERSIONS:
            raise ParsingError("Unsupported HTTP version")
        # A proxy in front might use the other header and see two requests instead of one (request smuggling).
        if "TRANSFER_ENCODING" in self.headers or (self.chunked and "CONTENT_LENGTH" in self.headers):
            raise ParsingError("Conflicting or invalid Content-Length and Transfer-Encoding")
        if isinstance(self.body_rcv, ChunkedReceiver):
            self.body_rcv = _Chunks(self.body_rcv.buf, self.adj.max_request_body_size)
        if self.body_rcv is None:
            # With a 100 Continue, waitress would wait for a body that never arrives.
            self.expect_continue = False

    def received(self, data: bytes) -> int:
        """Process bytes and return how many of them belong to this request."""
        if self.body_rcv is None and not self.header_plus.strip() and _is_not_http(data):
            # For example TLS, whose client would wait for a response until the timeout.
            self.parse_header(b"GET / HTTP/1.0\r\n")
            self.error, self.completed = BadRequest("This is not HTTP"), True
            return len(data)
        taken: int = super().received(data)
        return taken


class _Chunks(ChunkedReceiver):  # type: ignore[misc]
    """A chunked body with limits for the size and number of chunks and for the lines between them."""

    error: Any = None

    def __init__(self, buffer: Any, max_chunk: int) -> None:
        super().__init__(buffer)
        self._max_chunk, self._chunks = max_chunk, 0

    def received(self, data: bytes) -> int:
        """Process bytes and return how many of them belong to the body."""
        taken = 0
        while taken < len(data) and not self.completed and not self.error:
            taken += super().received(self._next_piece(data[taken:]))
            if self.chunk_remainder > self._max_chunk:
                self.error = RequestEntityTooLarge("A chunk is too large")
        return len(data) if self.error else taken

    def _next_piece(self, rest: bytes) -> bytes:
        """Return the bytes that belong to the current chunk, chunk end, or line."""
        if self.chunk_remainder:
            return rest[: self.chunk_remainder]
        if self.validate_chunk_end:
            return rest[: 2 - len(self.chunk_end)]
        pending = (self.trailer if self.all_chunks_received else self.control_line) + rest
        end = find_double_newline(pending) if self.all_chunks_received else pending.find(b"\r\n")
        if (len(pending) if end < 0 else end) > _MAX_LINE:
            self.error = BadRequest("A line between chunks is too long")
        elif end == 0 and not self.all_chunks_received:
            self.error = BadRequest("A line between chunks is blank")
        if end < 0 or self.all_chunks_received:
            return rest
        self._chunks += 1
        if self._chunks > _MAX_CHUNKS:
            self.error = BadRequest("There are too many chunks")
        return rest[: end + 2 - len(self.control_line)]


def _is_not_http(data: bytes) -> bool:
    pending = data.lstrip()
    return bool(pending) and pending[0] not in _TOKEN


def _check_lines(lines: list[bytes]) -> None:
    """Reject headers that two implementations may interpret differently. Raises ParsingError."""
    if any(line.startswith((b" ", b"\t")) for line in lines):
        raise ParsingError("A header is folded over several lines")
    fields = [(name.lower(), value) for name, _, value in (line.partition(b":") for line in lines)]
    if sum(name == b"host" for name, _ in fields) > 1:
        raise ParsingError("There are several Host headers")
    codings = [
        coding.strip(b" \t").lower()
        for name, value in fields
        if name == b"transfer-encoding"
        for coding in value.split(b",")
    ]
    if b"" in codings or codings.count(b"chunked") > 1:
        raise ParsingError("Invalid Transfer-Encoding")
