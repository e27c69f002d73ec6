"""Documents kept in a Dapr state store, changed by compare-and-set only.

No code here or above needs a transaction over several keys: Redis does not roll one back, so every change of more
than one document is a sequence of single writes that can be repeated.
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
_AT_ONCE = 10
_JSON = b"{"
"""What every document of ours that is not sealed begins with."""
_MAX_ATTEMPTS = 50
_MOST_KNOWN = 100
"""How many records a thread remembers at most."""
_MOST_DECODED = 500


class ConflictError(Exception):
    """Somebody else changed the document first."""


@dataclass(frozen=True)
class Stored:
    """A document as it was read: its bytes, the version that a change must name, and its name if that may be told."""

    data: bytes
    etag: str
    name: str = ""

    def read_as(self, model: type[M], what: str) -> M:
        """Return the record that the document is. Raises UnreadableError, which calls it `what` and tells no values."""
        try:
            return model.model_validate_json(self.data)
        except ValidationError:
            # What pydantic says has the values in it, which may be a customer's.
            named = f" ({self.name})" if self.name else ""
            raise UnreadableError(f"{what}{named} is not what was kept there") from None


class Documents(Protocol):
    """A store of documents by key."""

    def load(self, key: str) -> Stored | None:
        """Return the document, or None if there is none."""

    def load_many(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        """Return those of the documents that exist."""

    def save(self, key: str, data: bytes, etag: str | None, ttl: int | None = None) -> None:
        """Write the document if its version is still `etag`; with None, if there is none yet.

        `ttl` is a lifetime in seconds. Raises ConflictError.
        """


class DaprDocuments:
    """Documents in one of the sidecar's state stores, over its HTTP interface, which keeps JSON only.

    JSON text is kept as a string and not as what it says, or Dapr would take whole numbers for floating ones; any other
    bytes are kept in base64.
    """

    def __init__(self, sidecar: Sidecar, store: str) -> None:
        self._sidecar, self._path = sidecar, f"v1.0/state/{store}"

    def load(self, key: str) -> Stored | None:
        """Return the document, or None if there is none. Raises TransientError."""
        # The way for a single key has it in its path, where Dapr 1.18 does not take a slash for part of it.
        return self.load_many([key]).get(key)

    def load_many(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        """Return those of the documents that exist. Raises TransientError."""
        if not keys:
            return {}
        answer = self._sidecar.request("POST", f"{self._path}/bulk", {"keys": list(keys), "parallelism": _AT_ONCE})
        if not answer.ok:
            raise TransientError(f"reading state failed: {answer.status}")
        try:
            found = json.loads(answer.body)
        except ValueError:
            raise self._no_json(keys) from None
        failed = [item["error"] for item in found if item.get("error")]
        if failed:
            raise TransientError(f"reading state failed: {failed[0]}")
        # What is there has a version, whatever somebody may have made of its value.
        return {item["key"]: Stored(_bytes(item.get("data")), item["etag"]) for item in found if item.get("etag")}

    def _no_json(self, keys: Sequence[str]) -> TransientError:
        """Return the error that names the document that is no JSON: for that alone Dapr 1.18 answers nothing at all."""
        if len(keys) == 1:
            return UnreadableError(f"{keys[0]} is neither sealed nor JSON")
        half = len(keys) // 2
        for some in (keys[:half], keys[half:]):
            self.load_many(some)
        return TransientError("reading state failed: no JSON came")

    def save(self, key: str, data: bytes, etag: str | None, ttl: int | None = None) -> None:
        """Write the document if its version is still `etag`. Raises ConflictError and TransientError."""
        item = {"key": key, "value": _value(data), "options": _FIRST_WRITE}
        if etag is not None:
            item["etag"] = etag
        if ttl is not None:
            item["metadata"] = {"ttlInSeconds": str(ttl)}
        answer = self._sidecar.request("POST", self._path, [item])
        # Stores report "exists already" in words of their own, so a failed creation looks for the document.
        if answer.status == _CONFLICT or (not answer.ok and etag is None and self.load(key) is not None):
            raise ConflictError(key)
        if not answer.ok:
            raise TransientError(f"writing state failed: {answer.status}")


def _value(data: bytes) -> str:
    return data.decode() if data.startswith(_JSON) else base64.b64encode(data).decode()


def _bytes(value: object) -> bytes:
    if not isinstance(value, str):
        return json.dumps(value).encode()  # written by a program that kept the JSON itself
    if value.startswith(_JSON.decode()):
        return value.encode()
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        return value.encode()  # somebody has changed it; whoever opens it finds that out


class Decoder(Generic[M]):
    """Reads documents as a model that nobody changes, and the same bytes under the same key only once.

    Errors call a document `what`.
    """

    def __init__(self, model: type[M], size: int, what: str) -> None:
        self._model, self._what = model, what
        self._recent = LruCache[tuple[bytes, M]](size)

    def read(self, key: str, stored: Stored) -> M:
        """Return what the document says. Raises UnreadableError."""
        known = self._recent.get(key)
        if known is not None and known[0] == stored.data:
            return known[1]
        return self.remember(key, stored.data, stored.read_as(self._model, self._what))

    def remember(self, key: str, data: bytes, said: M) -> M:
        """Remember what a document was written from, and return that."""
        return self._recent.put(key, (data, said))[1]


@dataclass(frozen=True)
class _Read(Generic[M]):
    """A record as it was read, None if there was none, and the version that a change must name."""

    record: M | None
    etag: str | None


class Records(Generic[M]):
    """Documents of one model, each under the key `<kind>/<id>`.

    What a thread has read last it need not read again to change it: should somebody else have changed it since, the
    write is refused, and the record is read anew.
    """

    def __init__(self, documents: Documents, kind: str, model: type[M]) -> None:
        self._documents, self._kind = documents, kind
        self._decoder = Decoder(model, _MOST_DECODED, f"a record of kind {kind!r}")
        self._thread = threading.local()

    def get(self, record_id: str) -> M | None:
        """Return the record, or None if there is none."""
        key = self._key(record_id)
        read = self._made_whole(key, self._documents.load(key))
        self._thread.read = {key: read}
        return read.record

    def get_many(self, record_ids: Sequence[str]) -> list[M]:
        """Return those of the records that exist, in the order asked for."""
        found = self.get_map(record_ids)
        return [found[record_id] for record_id in record_ids if record_id in found]

    def get_map(self, record_ids: Sequence[str]) -> dict[str, M]:
        """Return those of the records that exist, by their ids."""
        keys = {record_id: self._key(record_id) for record_id in record_ids}
        found = self._documents.load_many(list(keys.values()))
        read = {key: self._made_whole(key, found.get(key)) for key in keys.values()}
        self._thread.read = read if len(read) <= _MOST_KNOWN else {}
        return {record_id: record for record_id, key in keys.items() if (record := read[key].record)}

    def create(self, record_id: str, record: M, ttl: int | None = None) -> bool:
        """Write the record if there is none yet; tell whether it was written. `ttl` in seconds."""
        return self._saved(self._key(record_id), record, None, ttl)

    def update(self, record_id: str, change: Callable[[M | None], M], ttl: int | None = None) -> M:
        """Apply `change` to the record as it is now and return the result; `ttl` in seconds.

        `change` runs again whenever another writer was first, so it decides by what it is given; returning its
        argument writes nothing.
        """
        key = self._key(record_id)
        known: _Read[M] | None = getattr(self._thread, "read", {}).pop(key, None)
        if known is not None and (after := self._changed_since(key, known, change, ttl)) is not None:
            return after
        for _ in range(_MAX_ATTEMPTS):
            read = self._made_whole(key, self._documents.load(key))
            after = change(read.record)
            if after is read.record or self._saved(key, after, read.etag, ttl):
                return after
        # Without the id, which may be a customer's.
        raise TransientError(f"a record of kind {self._kind!r} is being changed by too many at once")

    def _changed_since(self, key: str, known: _Read[M], change: Callable[[M | None], M], ttl: int | None) -> M | None:
        """Change what was read before; None when that cannot be or would decide by what may be old."""
        try:
            after = change(known.record)
        except Exception:  # noqa: BLE001 - whatever it is, it is raised again if the record is still the same
            return None
        return after if after is not known.record and self._saved(key, after, known.etag, ttl) else None

    def _saved(self, key: str, record: M, etag: str | None, ttl: int | None = None) -> bool:
        data = record.model_dump_json().encode()
        try:
            self._documents.save(key, data, etag, ttl)
        except ConflictError:
            return False
        self._decoder.remember(key, data, record)
        return True

    def _made_whole(self, key: str, stored: Stored | None) -> _Read[M]:
        return _Read(self._decoder.read(key, stored), stored.etag) if stored else _Read(None, None)

    def _key(self, record_id: str) -> str:
        # Dapr refuses keys with "||"; ids that people chose, such as an SKU, may hold it.
        return f"{self._kind}/{record_id.replace('%', '%25').replace('|', '%7C')}"
