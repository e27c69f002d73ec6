"""The file of keys: made at the first start on a developer's machine, read by the services, rotated by `oms`.

A JSON object of strings: `current` names the key to write with, `names` hides the names of records, every other entry
is a key id with its key; keys are 32 bytes in base64. Standard library only, as the launcher runs before anything is
installed.
"""

import base64
import json
import secrets
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from services.common.encryption import private_file

KEY_BYTES = 32
CURRENT, NAMES = "current", "names"
KEY_ID, KEYS_FILE, SECRET_STORE = "ENCRYPTION_KEY_ID", "ENCRYPTION_KEYS_FILE", "ENCRYPTION_SECRET_STORE"
DEFAULT_KEYS_FILE = "ENCRYPTION_DEFAULT_KEYS_FILE"


class KeysError(Exception):
    """There are no keys, or not those that are needed; the message says which, and never what is in them."""


def read(path: Path) -> dict[str, str]:
    """Return the file's entries. Raises KeysError when it is missing, broken, or open to other users."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise KeysError(f"the file of keys {path} cannot be read: {error.__class__.__name__}") from error
    if mode & 0o077:
        raise KeysError(f"the file of keys {path} is open to other users (mode {mode:o}): chmod 600 it")
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise KeysError(f"the file of keys {path} is not JSON") from error
    if not isinstance(entries, dict) or not all(isinstance(value, str) for value in entries.values()):
        raise KeysError(f"the file of keys {path} is not a JSON object of strings")
    return entries


def settings(environ: Mapping[str, str], default: Path) -> dict[str, str]:
    """Return the encryption settings of a system that has a file of keys by default: `environ` takes precedence.

    An empty ENCRYPTION_KEY_ID turns encryption off, but what is encrypted already can still be read.
    """
    key_id = environ.get(KEY_ID, CURRENT)
    if environ.get(SECRET_STORE):
        return {KEY_ID: key_id}
    path = Path(environ.get(KEYS_FILE) or default).resolve()
    return {KEY_ID: key_id, KEYS_FILE: str(path)} if key_id or path.exists() else {}


def ensure(path: Path) -> bool:
    """Make the file with a first key, unless it is there; tell whether it was made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with private_file.exclusive_lock(path):
        if path.exists():
            return False
        first = _new_id()
        _write(path, {CURRENT: first, NAMES: _new_key(), first: _new_key()})
    return True


def rotate(path: Path) -> str:
    """Add a key and make it the current one; return its id. The old ones stay, to read what they sealed."""
    try:
        with private_file.exclusive_lock(path):
            entries = read(path)
            # A key that is replaced takes what it has sealed with it.
            while (new := _new_id()) in entries:
                pass
            _write(path, entries | {CURRENT: new, new: _new_key()})
    except OSError as error:
        raise KeysError(f"the file of keys {path} cannot be written: {error.__class__.__name__}") from error
    return new


def _new_id() -> str:
    # Never the id of another key, so that one that is missing is not taken for one that does not fit.
    return f"{datetime.now(UTC):%Y-%m-%d}-{secrets.token_hex(3)}"


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _write(path: Path, entries: dict[str, str]) -> None:
    # On disk before it counts: whoever seals with a key that is then lost has lost the data.
    private_file.write(path, json.dumps(entries, indent=1))
