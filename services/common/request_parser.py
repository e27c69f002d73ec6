"""Reads requests as waitress does, and refuses what it would let pass: two ends of a body, lines that never end."""

from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import ChunkedReceiver
from waitress.utilities import BadRequest, find_double_newline

_LONGEST_LINE = 16 * 1024
"""Bytes of a line between chunks, and of all trailers: waitress looks through all of it anew whenever some come."""
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
        # A proxy in front might go by the other of the two, and see two requests where there is one.
        if "TRANSFER_ENCODING" in self.headers or (self.chunked and "CONTENT_LENGTH" in self.headers):
            raise ParsingError("The end of the body is told twice, or as this version of HTTP has it not")
        if isinstance(self.body_rcv, ChunkedReceiver):
            self.body_rcv = _Chunks(self.body_rcv.buf)
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
    """A body in chunks, with lines of bounded length between them."""

    def received(self, data: bytes) -> int:
        """Take some bytes in; return how many of them belong to the body."""
        # Only a line that was begun before can be too long: what comes at once is shorter.
        if self._line_length(data) > _LONGEST_LINE:
            self.error = BadRequest("A line between chunks is too long")
            self.all_chunks_received = True
            return len(data)
        taken: int = super().received(data)
        return taken

    def _line_length(self, data: bytes) -> int:
        if self.chunk_remainder or self.validate_chunk_end:
            return 0
        begun = (self.trailer if self.all_chunks_received else self.control_line) + data
        end = find_double_newline(begun) if self.all_chunks_received else begun.find(b"\r\n")
        return len(begun) if end < 0 else int(end)


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
