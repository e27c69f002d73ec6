"""Documents that lie sealed in the state store, and whose names tell nothing of a customer or of goods."""

import threading
from collections.abc import Mapping, Sequence

from services.common.dapr.sidecar import TransientError
from services.common.encryption.encryptor import Encryptor, UnreadableError
from services.common.logs import get_logger
from services.common.storage.documents import ConflictError, Documents, Stored
from services.common.storage.lru_cache import LruCache

log = get_logger(__name__)

_OPEN_KINDS = frozenset(
    {
        *("booking", "catalogue", "chaos", "check", "dead-feed", "dead-letter", "feed", "idempotency", "invoice"),
        *("ledger", "order", "order-feed", "orders", "reservation", "sealing", "settings", "shipments"),
    }
)
"""Kinds of keys made of the ids of orders, of digests, or of nothing that anybody chose. All others are hidden."""

_PROOF = "sealing/proof"
"""A document that only the keys that the store was begun with can open."""

_FOUND_BARE = "bare:"
"""Marks the version of a document that was found under its bare name, from before anything was hidden."""


class EncryptedDocuments:
    """Documents that are sealed on their way out and opened on their way in.

    A hidden name is a digest by a key; what lies under its bare name, from before encryption was on, stays there and is
    sealed with its next change. Methods raise UnreadableError, a TransientError, for what cannot be opened.
    """

    def __init__(self, documents: Documents, encryptor: Encryptor) -> None:
        self._documents, self._encryptor = documents, encryptor
        self._proving = threading.Lock()
        self._proved = False
        self._told = ""
        self._never_bare = LruCache[bool](50_000)

    def load(self, key: str) -> Stored | None:
        """Return the document, or None if there is none."""
        self.verify_keys()
        name = self._name(key)
        found = self._documents.load(name)
        if found is not None:
            return self._opened(found, name)
        return self._bare([key]).get(key) if name != key else None

    def load_many(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        """Return those of the documents that exist."""
        self.verify_keys()
        names = {key: self._name(key) for key in keys}
        found = self._documents.load_many(list(names.values()))
        documents = {key: self._opened(found[name], name) for key, name in names.items() if name in found}
        return documents | self._bare([key for key, name in names.items() if name not in found and name != key])

    def save(self, key: str, data: bytes, etag: str | None, ttl: int | None = None) -> None:
        """Write the document if its version is still `etag`; with None, if there is none yet. Raises ConflictError."""
        self.verify_keys()
        name = place = self._name(key)
        if etag is not None and etag.startswith(_FOUND_BARE):
            place, etag = key, etag.removeprefix(_FOUND_BARE)
        elif etag is None and name != key and self._bare([key]):
            raise ConflictError(name)
        self._documents.save(place, self._encryptor.encrypt(data, name), etag, ttl)

    def verify_keys(self) -> None:
        """Make sure that the keys are those that the store was begun with, once. Raises UnreadableError.

        With others nothing could be opened; but where names are hidden, nothing would be found, and be taken for new.
        """
        if self._proved:
            return
        with self._proving:
            # Of several replicas that begin at once only one leaves the proof, and the others find it.
            if not (self._prove() or self._prove()):
                raise TransientError("the store does not keep the proof of its keys")
            self._proved = True

    def _prove(self) -> bool:
        # What the keys make of this name shows them by itself: also another key of the same id is noticed.
        expected = self._encryptor.name_digest(_PROOF)
        proof = self._documents.load(_PROOF)
        if proof is not None:
            if self._encryptor.decrypt(proof.data, _PROOF) != (expected or "").encode():
                raise UnreadableError("the names in this store were hidden with another key than the one here")
        elif expected is not None and self._encryptor.encrypts:
            try:
                self._documents.save(_PROOF, self._encryptor.encrypt(expected.encode(), _PROOF), None)
            except ConflictError:
                return False
        return True

    def readable(self) -> bool:
        """Tell whether what is stored can be read with the keys that are here; log it if not."""
        try:
            self.verify_keys()
        except UnreadableError as error:
            if str(error) != self._told:
                log.error("nothing that is stored can be read", extra={"cause": str(error)})
            self._told = str(error)
            return False
        return True

    def _bare(self, keys: Sequence[str]) -> dict[str, Stored]:
        """Return those of the documents that lie under their bare names; none comes there any more."""
        unsure = [key for key in keys if not self._never_bare.get(key)]
        found = self._documents.load_many(unsure) if unsure and self._encryptor.accepts_unencrypted else {}
        for key in unsure:
            if key not in found:
                self._never_bare.put(key, True)
        return {key: self._opened(one, self._name(key), _FOUND_BARE) for key, one in found.items()}

    def _opened(self, found: Stored, name: str, mark: str = "") -> Stored:
        return Stored(self._encryptor.decrypt(found.data, name), mark + found.etag, name)

    def _name(self, key: str) -> str:
        kind = key.partition("/")[0]
        digest = None if kind in _OPEN_KINDS else self._encryptor.name_digest(key)
        return key if digest is None else f"{kind}/{digest}"
