"""Searches all files of a system for a text, in every encoding in which it could be stored."""

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

from launcher.system.stack import Stack
from tests.e2e.redis_direct import Redis

FOLDERS = ("redis", "scheduler", "logs")


def forms(text: str) -> set[bytes]:
    """Return the encodings of a text: plain, escaped, UTF-16, and base64 at any offset."""
    escaped = {json.dumps(text)[1:-1], quote(text), quote(text).lower(), quote_plus(text), text.upper(), text.lower()}
    plain = text.encode()
    encoded = {form.encode() for form in escaped} | {plain, plain.hex().encode(), plain.hex().upper().encode()}
    wide = {text.encode("utf-16-le"), text.encode("utf-16-be")}
    return encoded | wide | set(_in_base64(plain))


def _in_base64(data: bytes) -> Iterator[bytes]:
    # The first and last characters also encode neighbouring bytes.
    for before, shared in ((0, 0), (1, 2), (2, 3)):
        whole = (before + len(data)) * 8 // 6
        for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
            yield alphabet(b"\0" * before + data)[shared:whole]


def where_found(stack: Stack, texts: Iterable[str]) -> dict[str, list[str]]:
    """Return for each text the files of the system, except its keys, that contain it in any encoding."""
    found: dict[str, list[str]] = {text: [] for text in texts}
    for path in kept_files(stack):
        # Databases preallocate their log files.
        data = path.read_bytes().rstrip(b"\0")
        for text, files in found.items():
            if any(form in data for form in forms(text)):
                files.append(str(path.relative_to(stack.state_dir)))
    return found


def kept_files(stack: Stack) -> list[Path]:
    """Return every file of the system except its keys."""
    files = [path for name in FOLDERS for path in (stack.state_dir / name).rglob("*") if path.is_file()]
    assert {path.relative_to(stack.state_dir).parts[0] for path in files} == set(FOLDERS)
    return files


def dump_uncompressed(stack: Stack) -> None:
    """Make Redis write an uncompressed dump, because compression could hide a text.

    Its append-only file contains every write in plain, unless Redis has rewritten it.
    """
    with Redis(stack.ports.redis, 0) as redis:
        redis("CONFIG", "SET", "rdbcompression", "no")
        redis("SAVE")
        redis("CONFIG", "SET", "rdbcompression", "yes")
    rewritten = [path for path in (stack.state_dir / "redis").rglob("*.base.rdb") if path.stat().st_size > 1000]
    assert not rewritten, "older writes may be compressed in it"
