"""API keys: 256 random bits each. Only their SHA-256 is stored, in a file or in a secret of a secret store.

A password needs a slow hash; a random key cannot be guessed, however fast the hash is.
"""

import hashlib
import json
import secrets
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.common.clock import rfc3339, utc_now
from services.common.dapr.sidecar import TransientError
from services.common.encryption import private_file
from services.common.identity import Person, Role
from services.common.json_models import Name, reason
from services.common.logs import get_logger

log = get_logger(__name__)

_PREFIX = "oms_"
_DIGEST = r"^[0-9a-f]{64}$"


class ApiKeysError(Exception):
    """The keys cannot be read or changed; the message says why."""


class ApiKey(BaseModel):
    """The stored data of a key, never the key itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: str = Field(pattern=r"^[0-9a-f]{8}$")
    name: Name
    role: Role
    sha256: str = Field(pattern=_DIGEST)
    created_at: str

    @property
    def person(self) -> Person:
        """Return the owner of the key."""
        return Person(self.name, self.role)


class _KeyFileContent(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    keys: list[ApiKey] = Field(default_factory=list)


class ApiKeys(ABC):
    """The accepted keys, independent of where they are stored. Thread-safe."""

    @abstractmethod
    def current(self) -> list[ApiKey]:
        """Return the current keys. Raises TransientError while they are unavailable."""

    def available(self) -> bool:
        """Return whether the keys are known."""
        return True

    def find(self, key: str) -> ApiKey | None:
        """Return the stored data of a key, or None for an unknown one; raises as `current`."""
        # The duration of the comparison reveals something about the digest at most, and nothing about the key.
        sha256 = digest(key)
        return next((known for known in self.current() if known.sha256 == sha256), None)

    def get(self, key_id: str) -> ApiKey | None:
        """Return the key with this id, or None; raises as `current`."""
        return next((known for known in self.current() if known.id == key_id), None)

    def has(self, key: ApiKey) -> bool:
        """Return whether a key still exists unchanged; False while the keys are unavailable."""
        try:
            return self.get(key.id) == key
        except TransientError:
            return False


class KeyFile(ApiKeys):
    """The keys of a file; a change of the file takes effect with the next request."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises ApiKeysError."""
        self._path = path
        self._guard = threading.Lock()
        self._seen = self._stamp()
        self._keys = read_keys(path)

    def current(self) -> list[ApiKey]:
        """Return the keys of the file, or those of its last valid version."""
        try:
            stamp = self._stamp()
            if stamp != self._seen:
                with self._guard:
                    self._keys, self._seen = read_keys(self._path), stamp
        except ApiKeysError as error:
            # A typing error must neither lock everybody out nor bring back a removed key.
            log.error("could not read the API keys, the last ones stay in use", extra={"cause": str(error)})
            self._seen = stamp
        return self._keys

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def read_keys(path: Path) -> list[ApiKey]:
    """Return the keys of a file. Raises ApiKeysError."""
    try:
        return parse(path.read_bytes(), str(path))
    except OSError as error:
        raise ApiKeysError(f"the keys in {path} cannot be read: {error.strerror}") from error


def parse(text: str | bytes, source: str) -> list[ApiKey]:
    """Return the keys in the text of a file. Raises ApiKeysError, which names `source` and every wrong field."""
    try:
        return _KeyFileContent.model_validate_json(text).keys
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, item["loc"])) or "the file" for item in error.errors())
        raise ApiKeysError(f"{source} is not a valid API key file: check {fields}") from error


def add_key(path: Path, name: str, role: Role) -> tuple[str, ApiKey]:
    """Create a key and add its digest to the file, which is created if missing; return the key, which is not stored.

    Raises ApiKeysError.
    """
    key = _PREFIX + secrets.token_urlsafe(32)
    try:
        stored = ApiKey(
            id=secrets.token_hex(4), name=name, role=role, sha256=digest(key), created_at=rfc3339(utc_now())
        )
    except ValidationError as error:
        raise ApiKeysError(f"the name {reason(error.errors()[0])}") from error
    with _locked(path):
        _write(path, [*(read_keys(path) if path.exists() else []), stored])
    return key, stored


def remove_key(path: Path, key_id: str) -> ApiKey:
    """Remove a key; the next request with it is rejected. Raises ApiKeysError for an unknown id."""
    with _locked(path):
        keys = read_keys(path)
        removed = next((key for key in keys if key.id == key_id), None)
        if removed is None:
            raise ApiKeysError(f"there is no key {key_id} in {path}")
        _write(path, [key for key in keys if key.id != key_id])
    return removed


def digest(key: str) -> str:
    """Return the SHA-256 of a key, in hexadecimal."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(private_file.exclusive_lock(path))
        except OSError as error:
            raise ApiKeysError(f"{path.parent} cannot be opened: {error.strerror}") from error
        yield


def _write(path: Path, keys: list[ApiKey]) -> None:
    text = json.dumps({"keys": [key.model_dump(mode="json") for key in keys]}, indent=2, ensure_ascii=False)
    try:
        private_file.write(path, text + "\n")
    except OSError as error:
        raise ApiKeysError(f"{path} cannot be written: {error.strerror}") from error
