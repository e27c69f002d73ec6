"""Sealing: AES-256-GCM for everything that leaves a process to be kept, with the key's id and a fresh nonce.

A sealed piece of data is the mark, the length of the key's id, the id, the nonce, the encrypted data and its tag. All
in front of the nonce is authenticated too, and so is `about`, which says where the piece belongs: one that was changed,
or moved elsewhere, does not open. Where only text can be kept, it is the same in base64 behind a prefix.
"""

import base64
import binascii
import hmac
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.common.dapr.sidecar import TransientError
from services.common.encryption.key_file import KeysError
from services.common.encryption.keys import KeyProvider
from services.common.logs import get_logger

log = get_logger(__name__)

USE_CURRENT = "current"
"""As the id of the key to write with: whichever is the current one where the keys are kept."""
PREFIX = "sealed:"
"""What sealed text begins with; no JSON does."""
PAYLOAD = "payload of the workflow engine"
"""What a sealed payload is about: not its instance, as the engine hands it on to children, parents and reruns."""
_MARK = b"\x00sealed\x01"
_NONCE, _TAG = 12, 16
_FRESH_FOR = 5.0
"""Seconds after which it is looked up whether there is a newer key to write with."""


class UnreadableError(TransientError):
    """What is kept cannot be read. It may be once its key is back, or the right data are: nothing was changed."""


class UnknownKeyError(UnreadableError):
    """It is sealed with a key that is not here."""


class TamperedError(UnreadableError):
    """It is not what was sealed, or not where it was."""


@dataclass(frozen=True)
class _Ring:
    """The keys at one moment."""

    current: str
    names: bytes
    ciphers: Mapping[str, AESGCM]
    at: float


class Encryptor:
    """Seals and opens. Threads may share it.

    Without a provider nothing can be opened; `write_with`, a key's id or USE_CURRENT, says by which key is sealed, None
    that nothing is. What is not sealed opens as it is, unless `accept_unencrypted` is False.
    """

    def __init__(
        self,
        provider: KeyProvider | None = None,
        write_with: str | None = None,
        accept_unencrypted: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._provider, self._write_with, self._accept_unsealed = provider, write_with, accept_unencrypted
        self._clock = clock
        self._guard = threading.Lock()
        self._ring: _Ring | None = None

    @property
    def encrypts(self) -> bool:
        """Whether what is written is sealed."""
        return self._write_with is not None

    @property
    def accepts_unencrypted(self) -> bool:
        """Whether what is not sealed is read as it is."""
        return self._accept_unsealed

    def prepare(self) -> None:
        """Get the keys. Raises KeysError where they are not as they must be, and TransientError."""
        if self._provider is not None:
            self._load(self._provider)

    def encrypt(self, data: bytes, about: str) -> bytes:
        """Return the data sealed, or as they are where nothing is to be. Raises TransientError without a key."""
        if self._write_with is None:
            return data
        ring = self._fresh_ring()
        key_id = ring.current if self._write_with == USE_CURRENT else self._write_with
        head = _MARK + bytes([len(key_id)]) + key_id.encode()
        nonce = os.urandom(_NONCE)
        return head + nonce + ring.ciphers[key_id].encrypt(nonce, data, head + about.encode())

    def decrypt(self, data: bytes, about: str) -> bytes:
        """Return what was sealed. Raises UnknownKeyError and TamperedError, which name `about`."""
        if not data.startswith(_MARK):
            # What is sealed and had its mark changed must not pass for something that never was.
            if data.startswith(b"{"):
                self.accept_unencrypted(about)
                return data
            raise TamperedError(f"{about} is neither sealed nor JSON")
        start = len(_MARK) + 1 + data[len(_MARK)] if len(data) > len(_MARK) else len(data)
        if len(data) < start + _NONCE + _TAG:
            raise TamperedError(f"{about} is sealed and was cut off")
        head, nonce, rest = data[:start], data[start : start + _NONCE], data[start + _NONCE :]
        key_id = head[len(_MARK) + 1 :].decode("ascii", "replace")
        try:
            return self._cipher(key_id, about).decrypt(nonce, rest, head + about.encode())
        except InvalidTag as error:
            raise TamperedError(f"{about} was changed after it was sealed with the key {key_id!r}") from error

    def encrypt_text(self, text: str, about: str) -> str:
        """Return the text sealed, as text; raises as `seal`."""
        if self._write_with is None:
            return text
        return PREFIX + base64.b64encode(self.encrypt(text.encode(), about)).decode()

    def decrypt_text(self, text: str, about: str) -> str:
        """Return the text that was sealed; raises as `open`."""
        if not text.startswith(PREFIX):
            self.accept_unencrypted(about)
            return text
        try:
            data = base64.b64decode(text[len(PREFIX) :], validate=True)
        except (binascii.Error, ValueError) as error:
            raise TamperedError(f"{about} is sealed and was changed") from error
        if not data.startswith(_MARK):
            raise TamperedError(f"{about} is sealed and was changed")
        return self.decrypt(data, about).decode()

    def accept_unencrypted(self, about: str) -> None:
        """Let something pass that is not sealed. Raises TamperedError where nothing may be."""
        if not self._accept_unsealed:
            raise TamperedError(f"{about} is not sealed, and what is not is refused")

    def name_digest(self, name: str) -> str | None:
        """Return what stands for a name that nobody is to read, the same each time; None where nothing is sealed."""
        if self._provider is None:
            return None
        ring = self._ring or self._fresh_ring()
        return hmac.digest(ring.names, name.encode(), "sha256").hex()[:32]

    def _fresh_ring(self) -> _Ring:
        """Return the keys, looked up anew every few seconds; while they cannot be, the last ones."""
        ring = self._ring
        if ring is not None and self._clock() - ring.at < _FRESH_FOR:
            return ring
        if self._provider is None:
            raise UnknownKeyError("there are no keys to seal with")
        try:
            return self._load(self._provider)
        except (KeysError, TransientError) as error:
            if ring is None:
                raise UnknownKeyError(f"there are no keys to seal with: {error}") from error
            log.error("the keys cannot be looked up, the last ones stay in use", extra={"cause": str(error)})
            self._ring = _Ring(ring.current, ring.names, ring.ciphers, self._clock())
            return ring

    def _cipher(self, key_id: str, about: str) -> AESGCM:
        """Return the key with an id, looked up anew if it is not known: it may be younger than the last look."""
        cause = "there are no keys here: ENCRYPTION_KEY_ID is not set"
        if self._ring is not None and key_id in self._ring.ciphers:
            return self._ring.ciphers[key_id]
        if self._provider is not None:
            cause = "it is not among the keys here"
            try:
                ring = self._load(self._provider)
            except (KeysError, TransientError) as error:
                raise UnknownKeyError(f"{about} is sealed with the key {key_id!r}, and {error}") from error
            if key_id in ring.ciphers:
                return ring.ciphers[key_id]
        raise UnknownKeyError(f"{about} is sealed with the key {key_id!r}, and {cause}")

    def _load(self, provider: KeyProvider) -> _Ring:
        with self._guard:
            keys = provider.keys()
            if self._write_with not in {None, USE_CURRENT, *keys.by_id}:
                raise KeysError(f"ENCRYPTION_KEY_ID is {self._write_with!r}, which is not among the keys")
            if self._ring is not None and self._ring.names != keys.names:
                # The names of all records would be others, and nothing be found under them.
                raise KeysError("the keys were exchanged: the entry 'names' is another one than at the start")
            ciphers = {key_id: AESGCM(key) for key_id, key in keys.by_id.items()}
            self._ring = ring = _Ring(keys.current, keys.names, ciphers, self._clock())
        return ring
