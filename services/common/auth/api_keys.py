"""API keys: 256 random bits each, of which only the SHA-256 is kept, in a file or in a secret of a secret store.

A password would need a slow hash; a key that nobody chose cannot be guessed, however fast the hash is.
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
    """The keys cannot be read or changed; the sentence says why."""


class ApiKey(BaseModel):
    """What is kept of a key: never the key itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: str = Field(pattern=r"^[0-9a-f]{8}$")
    name: Name
    role: Role
    sha256: str = Field(pattern=_DIGEST)
    created_at: str

    @property
    def person(self) -> Person:
        """Return whose key it is."""
        return Person(self.name, self.role)


class _Book(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    keys: list[ApiKey] = Field(default_factory=list)


class ApiKeys(ABC):
    """The keys that somebody may show, wherever they are kept. Threads may share it."""

    @abstractmethod
    def current(self) -> list[ApiKey]:
        """Return the keys as they are now. Raises TransientError while nobody knows them."""

    def available(self) -> bool:
        """Tell whether the keys are known."""
        return True

    def find(self, key: str) -> ApiKey | None:
        """Return what is known of a key that somebody showed, None for one that there is not; raises as `current`."""
        # How long the comparison takes tells something about the digest at most, and nothing about the key.
        shown = digest(key)
        return next((one for one in self.current() if one.sha256 == shown), None)

    def get(self, key_id: str) -> ApiKey | None:
        """Return the key with this id, None when it is gone; raises as `current`."""
        return next((one for one in self.current() if one.id == key_id), None)

    def has(self, key: ApiKey) -> bool:
        """Tell whether a key is still there, as it was; also False while nobody knows the keys."""
        try:
            return self.get(key.id) == key
        except TransientError:
            return False


class KeyFile(ApiKeys):
    """The keys of a file; a change of the file is seen at the next look."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises ApiKeysError."""
        self._path = path
        self._guard = threading.Lock()
        self._seen = self._stamp()
        self._keys = read_keys(path)

    def current(self) -> list[ApiKey]:
        """Return the keys as the file has them, or had them when it was in order last."""
        try:
            stamp = self._stamp()
            if stamp != self._seen:
                with self._guard:
                    self._keys, self._seen = read_keys(self._path), stamp
        except ApiKeysError as error:
            # A typing error must not lock everybody out, nor bring back a key that was taken away before.
            log.error("the API keys stay as they were", extra={"cause": str(error)})
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


def parse(text: str | bytes, place: str) -> list[ApiKey]:
    """Return the keys that the text of a file holds. Raises ApiKeysError, which names `place`, and what is wrong."""
    try:
        return _Book.model_validate_json(text).keys
    except ValidationError as error:
        places = ", ".join(".".join(map(str, one["loc"])) or "the file" for one in error.errors())
        raise ApiKeysError(f"{place} is not a file of API keys: wrong is {places}") from error


def add_key(path: Path, name: str, role: Role) -> tuple[str, ApiKey]:
    """Make a key and write its digest into the file, which is made if need be; return the key, shown only now.

    Raises ApiKeysError.
    """
    key = _PREFIX + secrets.token_urlsafe(32)
    try:
        kept = ApiKey(id=secrets.token_hex(4), name=name, role=role, sha256=digest(key), created_at=rfc3339(utc_now()))
    except ValidationError as error:
        raise ApiKeysError(f"the name {reason(error.errors()[0])}") from error
    with _locked(path):
        _write(path, [*(read_keys(path) if path.exists() else []), kept])
    return key, kept


def remove_key(path: Path, key_id: str) -> ApiKey:
    """Take a key away; it is refused from the next request on. Raises ApiKeysError where there is none of this id."""
    with _locked(path):
        known = read_keys(path)
        gone = next((one for one in known if one.id == key_id), None)
        if gone is None:
            raise ApiKeysError(f"there is no key {key_id} in {path}")
        _write(path, [one for one in known if one.id != key_id])
    return gone


def digest(key: str) -> str:
    """Return what is kept of a key."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with ExitStack() as held:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(private_file.exclusive_lock(path))
        except OSError as error:
            raise ApiKeysError(f"{path.parent} cannot be opened: {error.strerror}") from error
        yield


def _write(path: Path, keys: list[ApiKey]) -> None:
    text = json.dumps({"keys": [one.model_dump(mode="json") for one in keys]}, indent=2, ensure_ascii=False)
    try:
        private_file.write(path, text + "\n")
    except OSError as error:
        raise ApiKeysError(f"{path} cannot be written: {error.strerror}") from error
