"""Reads requests as waitress does, and refuses what it would let pass: two ends of a body, lines that never end."""

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import ChunkedReceiver
from waitress.utilities import BadRequest

_LONGEST_LINE = 16 * 1024
"""Bytes of a line between chunks, and of all trailers: waitress looks through all of it anew whenever some come."""


class RequestParser(HTTPRequestParser):  # type: ignore[misc]
    """One request as it comes in."""

    def parse_header(self, header_plus: bytes) -> None:
        """Read the request line and the headers. Raises ParsingError, which is answered with 400."""
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            raise ParsingError("The address cannot be read") from error
        # A proxy in front might go by the other of the two, and see two requests where there is one.
        if "TRANSFER_ENCODING" in self.headers or (self.chunked and "CONTENT_LENGTH" in self.headers):
            raise ParsingError("The end of the body is told twice, or as this version of HTTP has it not")
        if self.body_rcv is None:
            # Told to go on, waitress would wait for a body that never comes.
            self.expect_continue = False

    def received(self, data: bytes) -> int:
        """Take some bytes in; return how many of them belong to this request."""
        taken: int = super().received(data)
        body = self.body_rcv
        if isinstance(body, ChunkedReceiver) and len(body.control_line) + len(body.trailer) > _LONGEST_LINE:
            self.error, self.completed = BadRequest("A line between chunks is too long"), True
        return taken
