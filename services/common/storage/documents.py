"""Documents in a Dapr state store, changed by compare-and-set only.

No code needs a transaction over several keys, because Redis does not roll one back. A change of several documents is a
sequence of single writes that can be repeated.
"""

import base64
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from services.common.dapr.sidecar import Sidecar, TransientError
from services.common.encryption.encryptor import UnreadableError
from services.common.storage.lru_cache import LruCache

M = TypeVar("M", bound=BaseModel)

_FIRST_WRITE = {"concurrency": "first-write", "consistency": "strong"}
_CONFLICT = 409
_PARALLEL_READS = 10
_JSON = b"{"
"""The first byte of every plain-text document."""
_MAX_ATTEMPTS = 50
_MAX_REMEMBERED = 100
"""How many records a thread remembers for its next update."""
_MAX_DECODED = 500


class ConflictError(Exception):
    """Another writer has changed the document."""


@dataclass(frozen=True)
class Stored:
    """A document as it was read: its bytes, its version, and its name where that is not confidential."""

    data: bytes
    etag: str
    name: str = ""

    def read_as(self, model: type[M], what: str) -> M:
        """Parse the document as a model. Raises UnreadableError, which names it `what` and contains no values."""
        try:
            return model.model_validate_json(self.data)
        except ValidationError:
            # pydantic's message contains values, which may be a customer's.
            name = f" ({self.name})" if self.name else ""
            raise UnreadableError(f"{what}{name} has an invalid content") from None


class Documents(Protocol):
    """A store of documents by key."""

    def load(self, key: str) -> Stored | None:
        """Return the document, or None if there is none."""

    def load_many(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        """Return those of the documents that exist."""

    def save(self, key: str, data: bytes, etag: str | None, ttl: int | None = None) -> None:
        """Write the document if its version is still `etag`; with None, if it does not exist.

        `ttl` is a lifetime in seconds. Raises ConflictError.
        """


class DaprDocuments:
    """Documents in one of the sidecar's state stores, over its HTTP API, which stores JSON values only.

    JSON text is stored as a string, because Dapr would convert integers in a JSON value to floating point. Other bytes
    are stored in base64.
    """

    def __init__(self, sidecar: Sidecar, store: str) -> None:
        self._sidecar, self._path = sidecar, f"v1.0/state/{store}"

    def load(self, key: str) -> Stored | None:
        """Return the document, or None if there is none. Raises TransientError."""
        # The endpoint for a single key has it in the path, where Dapr 1.18 does not accept a slash in a key.
        return self.load_many([key]).get(key)

    def load_many(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        """Return those of the documents that exist. Raises TransientError."""
        if not keys:
            return {}
        response = self._sidecar.request(
            "POST", f"{self._path}/bulk", {"keys": list(keys), "parallelism": _PARALLEL_READS}
        )
        if not response.ok:
            raise TransientError(f"reading state failed: {response.status}")
        try:
            items = json.loads(response.body)
        except ValueError:
            raise self._unreadable(keys) from None
        failed = [item["error"] for item in items if item.get("error")]
        if failed:
            raise TransientError(f"reading state failed: {failed[0]}")
        # An existing document has a version, even if its value was tampered with.
        return {item["key"]: Stored(_bytes(item.get("data")), item["etag"]) for item in items if item.get("etag")}

    def _unreadable(self, keys: Sequence[str]) -> TransientError:
        """Return the error that names the document that is not JSON; for one, Dapr 1.18 returns an empty body."""
        if len(keys) == 1:
            return UnreadableError(f"{keys[0]} is neither encrypted nor JSON")
        half = len(keys) // 2
        for part in (keys[:half], keys[half:]):
            self.load_many(part)
        return TransientError("reading state failed: the response is not JSON")

    def save(self, key: str, data: bytes, etag: str | None, ttl: int | None = None) -> None:
        """Write the document if its version is still `etag`. Raises ConflictError and TransientError."""
        item = {"key": key, "value": _value(data), "options": _FIRST_WRITE}
        if etag is not None:
            item["etag"] = etag
        if ttl is not None:
            item["metadata"] = {"ttlInSeconds": str(ttl)}
        response = self._sidecar.request("POST", self._path, [item])
        # Each store reports an existing key differently, so a failed creation checks whether the document exists.
        if response.status == _CONFLICT or (not response.ok and etag is None and self.load(key) is not None):
            raise ConflictError(key)
        if not response.ok:
            raise TransientError(f"writing state failed: {response.status}")


def _value(data: bytes) -> str:
    return data.decode() if data.startswith(_JSON) else base64.b64encode(data).decode()


def _bytes(value: object) -> bytes:
    if not isinstance(value, str):
        return json.dumps(value).encode()  # another program stored a JSON value
    if value.startswith(_JSON.decode()):
        return value.encode()
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        return value.encode()  # it was tampered with, which decryption detects


class Decoder(Generic[M]):
    """Parses documents as an immutable model, with a cache by key and content. Errors name a document `what`."""

    def __init__(self, model: type[M], size: int, what: str) -> None:
        self._model, self._what = model, what
        self._cache = LruCache[tuple[bytes, M]](size)

    def read(self, key: str, stored: Stored) -> M:
        """Return the parsed document. Raises UnreadableError."""
        cached = self._cache.get(key)
        if cached is not None and cached[0] == stored.data:
            return cached[1]
        return self.remember(key, stored.data, stored.read_as(self._model, self._what))

    def remember(self, key: str, data: bytes, value: M) -> M:
        """Cache the value that a document was written from, and return it."""
        return self._cache.put(key, (data, value))[1]


@dataclass(frozen=True)
class _Read(Generic[M]):
    """A record as it was read, or None, and its version."""

    record: M | None
    etag: str | None


class Records(Generic[M]):
    """Documents of one model, under the keys `<kind>/<id>`.

    A thread that has just read a record can update it without reading it again. If another writer has changed it since,
    the write conflicts, and the record is read again.
    """

    def __init__(self, documents: Documents, kind: str, model: type[M]) -> None:
        self._documents, self._kind = documents, kind
        self._decoder = Decoder(model, _MAX_DECODED, f"a record of kind {kind!r}")
        self._thread = threading.local()

    def get(self, record_id: str) -> M | None:
        """Return the record, or None if there is none."""
        key = self._key(record_id)
        read = self._decode(key, self._documents.load(key))
        self._thread.read = {key: read}
        return read.record

    def get_many(self, record_ids: Sequence[str]) -> list[M]:
        """Return those of the records that exist, in the order asked for."""
        records = self.get_map(record_ids)
        return [records[record_id] for record_id in record_ids if record_id in records]

    def get_map(self, record_ids: Sequence[str]) -> dict[str, M]:
        """Return those of the records that exist, by their ids."""
        keys = {record_id: self._key(record_id) for record_id in record_ids}
        documents = self._documents.load_many(list(keys.values()))
        read = {key: self._decode(key, documents.get(key)) for key in keys.values()}
        self._thread.read = read if len(read) <= _MAX_REMEMBERED else {}
        return {record_id: record for record_id, key in keys.items() if (record := read[key].record)}

    def create(self, record_id: str, record: M, ttl: int | None = None) -> bool:
        """Write the record if it does not exist; return whether it was written. `ttl` is in seconds."""
        return self._try_save(self._key(record_id), record, None, ttl)

    def update(self, record_id: str, change: Callable[[M | None], M], ttl: int | None = None) -> M:
        """Apply `change` to the current record and return the result; `ttl` is in seconds.

        `change` runs again after a conflict, so it must depend only on its argument. Nothing is written if it returns
        its argument.
        """
        key = self._key(record_id)
        known: _Read[M] | None = getattr(self._thread, "read", {}).pop(key, None)
        if known is not None and (after := self._update_known(key, known, change, ttl)) is not None:
            return after
        for _ in range(_MAX_ATTEMPTS):
            read = self._decode(key, self._documents.load(key))
            after = change(read.record)
            if after is read.record or self._try_save(key, after, read.etag, ttl):
                return after
        # The id may be a customer's, so it is left out.
        raise TransientError(f"too many concurrent changes of a record of kind {self._kind!r}")

    def _update_known(self, key: str, known: _Read[M], change: Callable[[M | None], M], ttl: int | None) -> M | None:
        """Update a record that was read before; return None if it was changed since, or may have been."""
        try:
            after = change(known.record)
        except Exception:  # noqa: BLE001 - it is raised again if the record is unchanged
            return None
        return after if after is not known.record and self._try_save(key, after, known.etag, ttl) else None

    def _try_save(self, key: str, record: M, etag: str | None, ttl: int | None = None) -> bool:
        data = record.model_dump_json().encode()
        try:
            self._documents.save(key, data, etag, ttl)
        except ConflictError:
            return False
        self._decoder.remember(key, data, record)
        return True

    def _decode(self, key: str, stored: Stored | None) -> _Read[M]:
        return _Read(self._decoder.read(key, stored), stored.etag) if stored else _Read(None, None)

    def _key(self, record_id: str) -> str:
        # Dapr rejects keys with "||", which ids such as an SKU may contain.
        return f"{self._kind}/{record_id.replace('%', '%25').replace('|', '%7C')}"
