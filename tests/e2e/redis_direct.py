"""A minimal Redis client that bypasses the services: raw bytes in, raw bytes out."""

import json
import socket
from base64 import b64decode
from typing import Any, BinaryIO

_TIMEOUT = 10.0


class Redis:
    """A connection to one database of a Redis on the loopback."""

    def __init__(self, port: int, database: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT)
        self._answers = self._socket.makefile("rb")
        self("SELECT", str(database))

    def __enter__(self) -> "Redis":
        return self

    def __exit__(self, *_error: object) -> None:
        self._answers.close()
        self._socket.close()

    def __call__(self, *words: str | bytes) -> Any:
        """Send a command and return its reply: bytes, a number, None, or a list of those."""
        parts = [word.encode() if isinstance(word, str) else word for word in words]
        lines = [b"*%d\r\n" % len(parts), *(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)]
        self._socket.sendall(b"".join(lines))
        return _answer(self._answers)

    def encrypted_record(self, app: str, name: str) -> bytes:
        """Return the encrypted record of an app in the database of records."""
        return b64decode(json.loads(self("HGET", f"{app}||{name}", "data")), validate=True)

    def spoil(self, key: bytes, field: bytes = b"data", *, at: int) -> None:
        """Change one byte of a stored value. `at` counts from the end, starting at 1."""
        value = bytearray(self("HGET", key, field))
        value[-at] = ord("A") if value[-at] != ord("A") else ord("B")
        self("HSET", key, field, bytes(value))


def _answer(answers: BinaryIO) -> Any:
    line = answers.readline()[:-2]
    kind, rest = line[:1], line[1:]
    match kind:
        case b"+":
            return rest
        case b":":
            return int(rest)
        case b"$":
            return None if rest == b"-1" else answers.read(int(rest) + 2)[:-2]
        case b"*":
            return [_answer(answers) for _ in range(int(rest))]
    raise AssertionError(f"Redis said {line!r}")
