"""The encryption key file: created at the first start on a developer's machine, read by the services, rotated by `oms`.

It is a JSON object of strings: `current` is the id of the key to encrypt with, `names` is the key for digests of record
names, and every other entry maps a key id to its key. Keys are 32 bytes in base64. The module uses the standard library
only, because the launcher runs before any package is installed.
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
    """The keys are missing or unusable; the message says why and never contains a key."""


def read(path: Path) -> dict[str, str]:
    """Return the file's entries. Raises KeysError when it is missing, broken, or open to other users."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise KeysError(f"the key file {path} cannot be read: {error.__class__.__name__}") from error
    if mode & 0o077:
        raise KeysError(f"the key file {path} is open to other users (mode {mode:o}): chmod 600 it")
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise KeysError(f"the key file {path} is not JSON") from error
    if not isinstance(entries, dict) or not all(isinstance(value, str) for value in entries.values()):
        raise KeysError(f"the key file {path} is not a JSON object of strings")
    return entries


def settings(environ: Mapping[str, str], default: Path) -> dict[str, str]:
    """Return the encryption settings of a system with the default key file; `environ` takes precedence.

    An empty ENCRYPTION_KEY_ID turns encryption off; encrypted data stays readable.
    """
    key_id = environ.get(KEY_ID, CURRENT)
    if environ.get(SECRET_STORE):
        return {KEY_ID: key_id}
    path = Path(environ.get(KEYS_FILE) or default).resolve()
    return {KEY_ID: key_id, KEYS_FILE: str(path)} if key_id or path.exists() else {}


def ensure(path: Path) -> bool:
    """Create the file with a first key unless it exists; return whether it was created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with private_file.exclusive_lock(path):
        if path.exists():
            return False
        first = _new_id()
        _write(path, {CURRENT: first, NAMES: _new_key(), first: _new_key()})
    return True


def rotate(path: Path) -> str:
    """Add a key and make it the current one; return its id. Old keys stay, to decrypt existing data."""
    try:
        with private_file.exclusive_lock(path):
            entries = read(path)
            # Replacing a key would make the data encrypted with it unreadable.
            while (new := _new_id()) in entries:
                pass
            _write(path, entries | {CURRENT: new, new: _new_key()})
    except OSError as error:
        raise KeysError(f"the key file {path} cannot be written: {error.__class__.__name__}") from error
    return new


def _new_id() -> str:
    # Ids are unique, so that a missing key is reported as missing and not as a wrong key.
    return f"{datetime.now(UTC):%Y-%m-%d}-{secrets.token_hex(3)}"


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _write(path: Path, entries: dict[str, str]) -> None:
    # The key must be on disk before it is used: data encrypted with a lost key is lost.
    private_file.write(path, json.dumps(entries, indent=1))
