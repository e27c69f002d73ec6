"""Reads requests as waitress does, and refuses what it would let pass: two ends of a body, lines that never end."""

from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import ChunkedReceiver
from waitress.utilities import BadRequest, RequestEntityTooLarge, find_double_newline

_LONGEST_LINE = 16 * 1024
"""Bytes of a line between chunks, and of all trailers: waitress looks through all of it anew whenever some come."""
_MOST_CHUNKS = 10_000
"""Chunks of one body: to read one takes some microseconds, in which nobody else is served, however small it is."""
_VERSIONS = ("1.0", "1.1")
_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
"""What a method is made of."""


class RequestParser(HTTPRequestParser):  # type: ignore[misc]
    """One request as it comes in."""

    body_rcv: Any = None

    def parse_header(self, header_plus: bytes) -> None:
        """Read the request line and the headers. Raises ParsingError, which is answered with 400."""
        _check_lines(header_plus.split(b"\r\n")[1:])
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            raise ParsingError("The address cannot be read") from error
        if self.version not in _VERSIONS:
            raise ParsingError("This version of HTTP is not known here")
        # A proxy in front might go by the other of the two, and see two requests where there is one.
        if "TRANSFER_ENCODING" in self.headers or (self.chunked and "CONTENT_LENGTH" in self.headers):
            raise ParsingError("The end of the body is told twice, or as this version of HTTP has it not")
        if isinstance(self.body_rcv, ChunkedReceiver):
            self.body_rcv = _Chunks(self.body_rcv.buf, self.adj.max_request_body_size)
        if self.body_rcv is None:
            # Told to go on, waitress would wait for a body that never comes.
            self.expect_continue = False

    def received(self, data: bytes) -> int:
        """Take some bytes in; return how many of them belong to this request."""
        if self.body_rcv is None and not self.header_plus.strip() and _is_no_request(data):
            # TLS, say: whoever speaks that would wait for an answer that it can read.
            self.parse_header(b"GET / HTTP/1.0\r\n")
            self.error, self.completed = BadRequest("This is not HTTP"), True
            return len(data)
        taken: int = super().received(data)
        return taken


class _Chunks(ChunkedReceiver):  # type: ignore[misc]
    """A body in chunks of bounded size, with lines of bounded length between them, none of them blank."""

    error: Any = None

    def __init__(self, buffer: Any, largest: int) -> None:
        super().__init__(buffer)
        self._largest, self._chunks = largest, 0

    def received(self, data: bytes) -> int:
        """Take some bytes in; return how many of them belong to the body."""
        taken = 0
        while taken < len(data) and not self.completed and not self.error:
            taken += super().received(self._next_piece(data[taken:]))
            if self.chunk_remainder > self._largest:
                self.error = RequestEntityTooLarge("A chunk is too large")
        return len(data) if self.error else taken

    def _next_piece(self, rest: bytes) -> bytes:
        """Return what belongs to the same chunk, its end, or the same line."""
        if self.chunk_remainder:
            return rest[: self.chunk_remainder]
        if self.validate_chunk_end:
            return rest[: 2 - len(self.chunk_end)]
        begun = (self.trailer if self.all_chunks_received else self.control_line) + rest
        end = find_double_newline(begun) if self.all_chunks_received else begun.find(b"\r\n")
        if (len(begun) if end < 0 else end) > _LONGEST_LINE:
            self.error = BadRequest("A line between chunks is too long")
        elif end == 0 and not self.all_chunks_received:
            self.error = BadRequest("A line between chunks is blank")
        if end < 0 or self.all_chunks_received:
            return rest
        self._chunks += 1
        if self._chunks > _MOST_CHUNKS:
            self.error = BadRequest("There are too many chunks")
        return rest[: end + 2 - len(self.control_line)]


def _is_no_request(data: bytes) -> bool:
    begun = data.lstrip()
    return bool(begun) and begun[0] not in _TOKEN


def _check_lines(lines: list[bytes]) -> None:
    """Refuse headers that two programs may read differently. Raises ParsingError."""
    if any(line.startswith((b" ", b"\t")) for line in lines):
        raise ParsingError("A header goes on in another line")
    fields = [(name.lower(), value) for name, _, value in (line.partition(b":") for line in lines)]
    if sum(name == b"host" for name, _ in fields) > 1:
        raise ParsingError("There are several hosts")
    codings = [
        one.strip(b" \t").lower() for name, value in fields if name == b"transfer-encoding" for one in value.split(b",")
    ]
    if b"" in codings or codings.count(b"chunked") > 1:
        raise ParsingError("The transfer encoding is not one")
