"""Documents that are encrypted in the state store, under names that reveal no customers and no goods."""

import threading
from collections.abc import Mapping, Sequence

from services.common.dapr.sidecar import TransientError
from services.common.encryption.encryptor import Encryptor, UnreadableError
from services.common.logs import get_logger
from services.common.storage.documents import ConflictError, Documents, Stored
from services.common.storage.lru_cache import LruCache

log = get_logger(__name__)

_PUBLIC_KINDS = frozenset(
    {
        *("booking", "catalogue", "chaos", "check", "dead-feed", "dead-letter", "ended", "feed", "history"),
        *("idempotency", "invoice", "ledger", "order", "order-feed", "orders", "reservation", "sealing"),
        *("settings", "shipments"),
    }
)
"""Kinds whose keys are not confidential: made of order ids, digests or constants. All other keys are digests."""

_PROOF = "sealing/proof"
"""A document that only the keys with which the store was initialised can decrypt."""

_PLAIN_NAME = "bare:"
"""Prefix of the version of a document under its plain name, written before encryption was turned on."""


class EncryptedDocuments:
    """Encrypts documents on write and decrypts them on read.

    A confidential name is replaced by a keyed digest. A document that was written under its plain name, before
    encryption was turned on, stays there and is encrypted with its next change. Methods raise UnreadableError, a
    TransientError, for documents that cannot be decrypted.
    """

    def __init__(self, documents: Documents, encryptor: Encryptor) -> None:
        self._documents, self._encryptor = documents, encryptor
        self._verifying = threading.Lock()
        self._verified = False
        self._logged_cause = ""
        self._no_plain_name = LruCache[bool](50_000)

    def load(self, key: str) -> Stored | None:
        """Return the document, or None if there is none."""
        self.verify_keys()
        name = self._name(key)
        stored = self._documents.load(name)
        if stored is not None:
            return self._decrypt(stored, name)
        return self._load_by_plain_name([key]).get(key) if name != key else None

    def load_many(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        """Return those of the documents that exist."""
        self.verify_keys()
        names = {key: self._name(key) for key in keys}
        stored = self._documents.load_many(list(names.values()))
        documents = {key: self._decrypt(stored[name], name) for key, name in names.items() if name in stored}
        missing = [key for key, name in names.items() if name not in stored and name != key]
        return documents | self._load_by_plain_name(missing)

    def save(self, key: str, data: bytes, etag: str | None, ttl: int | None = None) -> None:
        """Write the document if its version is still `etag`; with None, if it does not exist. Raises ConflictError."""
        self.verify_keys()
        name = stored_name = self._name(key)
        if etag is not None and etag.startswith(_PLAIN_NAME):
            stored_name, etag = key, etag.removeprefix(_PLAIN_NAME)
        elif etag is None and name != key and self._load_by_plain_name([key]):
            raise ConflictError(name)
        self._documents.save(stored_name, self._encryptor.encrypt(data, name), etag, ttl)

    def verify_keys(self) -> None:
        """Check once that the keys are those with which the store was initialised. Raises UnreadableError.

        With other keys, documents under digests would not be found and would be mistaken for new ones.
        """
        if self._verified:
            return
        with self._verifying:
            # Of several replicas that start at once, one writes the proof, and the others read it.
            if not (self._check_proof() or self._check_proof()):
                raise TransientError("the store does not keep the proof document of its keys")
            self._verified = True

    def _check_proof(self) -> bool:
        # The digest of this name depends on the key, so another key with the same id is detected too.
        expected = self._encryptor.name_digest(_PROOF)
        proof = self._documents.load(_PROOF)
        if proof is not None:
            if self._encryptor.decrypt(proof.data, _PROOF) != (expected or "").encode():
                raise UnreadableError("the record names in this store were made with another key")
        elif expected is not None and self._encryptor.encrypts:
            try:
                self._documents.save(_PROOF, self._encryptor.encrypt(expected.encode(), _PROOF), None)
            except ConflictError:
                return False
        return True

    def readable(self) -> bool:
        """Return whether stored data can be decrypted with the available keys; log the cause if not."""
        try:
            self.verify_keys()
        except UnreadableError as error:
            if str(error) != self._logged_cause:
                log.error("stored data cannot be decrypted", extra={"cause": str(error)})
            self._logged_cause = str(error)
            return False
        return True

    def _load_by_plain_name(self, keys: Sequence[str]) -> dict[str, Stored]:
        """Return those of the documents that exist under their plain names; no new ones are written there."""
        unchecked = [key for key in keys if not self._no_plain_name.get(key)]
        stored = self._documents.load_many(unchecked) if unchecked and self._encryptor.accepts_unencrypted else {}
        for key in unchecked:
            if key not in stored:
                self._no_plain_name.put(key, True)
        return {key: self._decrypt(document, self._name(key), _PLAIN_NAME) for key, document in stored.items()}

    def _decrypt(self, stored: Stored, name: str, etag_prefix: str = "") -> Stored:
        return Stored(self._encryptor.decrypt(stored.data, name), etag_prefix + stored.etag, name)

    def _name(self, key: str) -> str:
        kind = key.partition("/")[0]
        digest = None if kind in _PUBLIC_KINDS else self._encryptor.name_digest(key)
        return key if digest is None else f"{kind}/{digest}"
