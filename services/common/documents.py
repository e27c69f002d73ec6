"""Documents kept in a Dapr state store, changed by compare-and-set only.

No code here or above needs a transaction over several keys: Redis does not roll one back, so every change of more
than one document is a sequence of single writes that can be repeated.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from dapr.clients.exceptions import DaprGrpcError
from dapr.clients.grpc._state import Concurrency, Consistency, StateOptions
from grpc import StatusCode
from pydantic import BaseModel

from services.common.sidecar import Sidecar, TransientError

M = TypeVar("M", bound=BaseModel)

_FIRST_WRITE = StateOptions(consistency=Consistency.strong, concurrency=Concurrency.first_write)
_MAX_ATTEMPTS = 50


class ConflictError(Exception):
    """Somebody else changed the document first."""


@dataclass(frozen=True)
class Stored:
    """A document as it was read: its bytes and the version that a change must name."""

    data: bytes
    etag: str


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
    """Documents in one of the sidecar's state stores."""

    def __init__(self, sidecar: Sidecar, store: str) -> None:
        self._sidecar, self._store = sidecar, store

    def load(self, key: str) -> Stored | None:
        """Return the document, or None if there is none. Raises TransientError."""
        try:
            with self._sidecar.calling() as client:
                found = client.get_state(self._store, key)
        except DaprGrpcError as error:
            raise TransientError(f"reading state failed: {_code(error)}") from error
        return Stored(_bytes(found.data), found.etag) if found.data else None

    def load_many(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        """Return those of the documents that exist. Raises TransientError."""
        if not keys:
            return {}
        try:
            with self._sidecar.calling() as client:
                found = client.get_bulk_state(self._store, list(keys), parallelism=10)
        except DaprGrpcError as error:
            raise TransientError(f"reading state failed: {_code(error)}") from error
        failed = [item.error for item in found.items if item.error]
        if failed:
            raise TransientError(f"reading state failed: {failed[0]}")
        return {item.key: Stored(_bytes(item.data), item.etag) for item in found.items if item.data}

    def save(self, key: str, data: bytes, etag: str | None, ttl: int | None = None) -> None:
        """Write the document if its version is still `etag`. Raises ConflictError and TransientError."""
        metadata = {"ttlInSeconds": str(ttl)} if ttl else {}
        try:
            with self._sidecar.calling() as client:
                client.save_state(self._store, key, data, etag=etag, options=_FIRST_WRITE, state_metadata=metadata)
        except DaprGrpcError as error:
            # Stores report "exists already" in words of their own, so a failed creation looks for the document.
            if _code(error) == StatusCode.ABORTED or (etag is None and self.load(key) is not None):
                raise ConflictError(key) from error
            raise TransientError(f"writing state failed: {_code(error)}") from error


def _bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _code(error: DaprGrpcError) -> StatusCode:
    code: StatusCode = error.code()  # type: ignore[no-untyped-call]
    return code


class Records(Generic[M]):
    """Documents of one model, each under the key `<kind>/<id>`."""

    def __init__(self, documents: Documents, kind: str, model: type[M]) -> None:
        self._documents, self._kind, self._model = documents, kind, model

    def get(self, record_id: str) -> M | None:
        """Return the record, or None if there is none."""
        stored = self._documents.load(self._key(record_id))
        return self._model.model_validate_json(stored.data) if stored else None

    def get_many(self, record_ids: Sequence[str]) -> list[M]:
        """Return those of the records that exist, in the order asked for."""
        found = self._documents.load_many([self._key(record_id) for record_id in dict.fromkeys(record_ids)])
        hits = (found.get(self._key(record_id)) for record_id in record_ids)
        return [self._model.model_validate_json(hit.data) for hit in hits if hit]

    def create(self, record_id: str, record: M, ttl: int | None = None) -> bool:
        """Write the record if there is none yet; tell whether it was written. `ttl` in seconds."""
        try:
            self._documents.save(self._key(record_id), self._bytes(record), None, ttl)
        except ConflictError:
            return False
        return True

    def update(self, record_id: str, change: Callable[[M | None], M]) -> M:
        """Apply `change` to the record as it is now and return the result.

        `change` runs again whenever another writer was first, so it decides by what it is given; returning its
        argument writes nothing.
        """
        key = self._key(record_id)
        for _ in range(_MAX_ATTEMPTS):
            stored = self._documents.load(key)
            before = self._model.model_validate_json(stored.data) if stored else None
            after = change(before)
            if after is before:
                return after
            try:
                self._documents.save(key, self._bytes(after), stored.etag if stored else None)
            except ConflictError:
                continue
            return after
        raise TransientError(f"{key} is being changed by too many at once")

    def _key(self, record_id: str) -> str:
        # Dapr refuses keys with "||"; ids that people chose, such as an SKU, may hold it.
        return f"{self._kind}/{record_id.replace('%', '%25').replace('|', '%7C')}"

    def _bytes(self, record: M) -> bytes:
        return record.model_dump_json().encode()
