"""Key providers: a port with two adapters, for a local file and for a Dapr secret store."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.common.encryption import key_file
from services.common.encryption.key_file import CURRENT, KEY_BYTES, NAMES, KeysError

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")


@dataclass(frozen=True)
class Keys:
    """All keys: `current` is the id of the key to encrypt with; `names`, for digests of record names, never changes."""

    current: str
    names: bytes
    by_id: Mapping[str, bytes]


class KeyProvider(Protocol):
    """A source of keys."""

    def keys(self) -> Keys:
        """Return the current keys. Raises KeysError, and TransientError while the source is unreachable."""


class Secrets(Protocol):
    """The part of the sidecar that this module needs."""

    def secret(self, store: str, name: str) -> dict[str, str]:
        """Return a secret's entries. Raises TransientError."""


class FileKeys:
    """Keys in a local file, as `key_file` describes it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keys(self) -> Keys:
        """Return the keys. Raises KeysError."""
        return parse(key_file.read(self._path))


class SecretKeys:
    """Keys in a secret of a Dapr secret store with the same entries as the file."""

    def __init__(self, secrets: Secrets, store: str, name: str) -> None:
        self._secrets, self._store, self._name = secrets, store, name

    def keys(self) -> Keys:
        """Return the keys. Raises KeysError and TransientError."""
        return parse(self._secrets.secret(self._store, self._name))


def parse(entries: Mapping[str, str]) -> Keys:
    """Return the keys in the entries. Raises KeysError, which contains ids and never keys."""
    for required in (CURRENT, NAMES):
        if required not in entries:
            raise KeysError(f"the keys have no entry {required!r}")
    by_id = {name: _key(name, text) for name, text in entries.items() if name not in (CURRENT, NAMES)}
    if entries[CURRENT] not in by_id:
        raise KeysError(f"the current key is {entries[CURRENT]!r}, which is not among the keys")
    return Keys(entries[CURRENT], _key(NAMES, entries[NAMES]), by_id)


def _key(name: str, text: str) -> bytes:
    if not _ID.fullmatch(name):
        raise KeysError(f"{name!r} is not a valid key id: use up to 32 letters, digits, dots, '_' and '-'")
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeysError(f"the key {name!r} is not base64") from error
    if len(key) != KEY_BYTES:
        raise KeysError(f"the key {name!r} has {len(key)} bytes instead of {KEY_BYTES}")
    return key
