"""Encryption: AES-256-GCM with a key id and a random nonce, for all data that leaves a process to be stored.

The format is: magic bytes, the length of the key id, the key id, the nonce, the ciphertext, the tag. Everything before
the nonce is authenticated as well, and so is `about`, which says where the data belongs: data that was changed or moved
cannot be decrypted. Where only text can be stored, the same bytes follow a prefix in base64.
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
"""As the id of the key to encrypt with: the current key of the key provider."""
PREFIX = "sealed:"
"""The prefix of encrypted text; no JSON begins with it."""
PAYLOAD = "payload of the workflow engine"
"""The `about` of workflow payloads. It has no instance id, because the engine passes payloads on to other instances."""
_MAGIC = b"\x00sealed\x01"
_NONCE, _TAG = 12, 16
_REFRESH_SECONDS = 5.0
"""Seconds after which the provider is asked for a newer current key."""


class UnreadableError(TransientError):
    """Stored data cannot be decrypted now. It may be readable once its key or the original data is restored."""


class UnknownKeyError(UnreadableError):
    """The data is encrypted with an unknown key."""


class TamperedError(UnreadableError):
    """The data was changed, or moved to another place."""


@dataclass(frozen=True)
class _LoadedKeys:
    """The keys, and the monotonic time when they were read."""

    current: str
    names: bytes
    ciphers: Mapping[str, AESGCM]
    at: float


class Encryptor:
    """Encrypts and decrypts. Thread-safe.

    Without a provider nothing can be decrypted. `write_with` is the id of the key to encrypt with, or USE_CURRENT; with
    None, data is written as plain text. Plain text is read as it is, unless `accept_unencrypted` is False.
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
        self._keys: _LoadedKeys | None = None

    @property
    def encrypts(self) -> bool:
        """Whether data is encrypted when it is written."""
        return self._write_with is not None

    @property
    def accepts_unencrypted(self) -> bool:
        """Whether plain text is accepted when data is read."""
        return self._accept_unsealed

    def prepare(self) -> None:
        """Load the keys. Raises KeysError for invalid keys, and TransientError."""
        if self._provider is not None:
            self._load(self._provider)

    def encrypt(self, data: bytes, about: str) -> bytes:
        """Return the data encrypted, or unchanged where encryption is off. Raises TransientError without a key."""
        if self._write_with is None:
            return data
        keys = self._current_keys()
        key_id = keys.current if self._write_with == USE_CURRENT else self._write_with
        head = _MAGIC + bytes([len(key_id)]) + key_id.encode()
        nonce = os.urandom(_NONCE)
        return head + nonce + keys.ciphers[key_id].encrypt(nonce, data, head + about.encode())

    def decrypt(self, data: bytes, about: str) -> bytes:
        """Return the decrypted data. Raises UnknownKeyError and TamperedError, which name `about`."""
        if not data.startswith(_MAGIC):
            # Encrypted data with changed magic bytes must not pass for plain text.
            if data.startswith(b"{"):
                self.accept_unencrypted(about)
                return data
            raise TamperedError(f"{about} is neither encrypted nor JSON")
        start = len(_MAGIC) + 1 + data[len(_MAGIC)] if len(data) > len(_MAGIC) else len(data)
        if len(data) < start + _NONCE + _TAG:
            raise TamperedError(f"{about} is encrypted and truncated")
        head, nonce, rest = data[:start], data[start : start + _NONCE], data[start + _NONCE :]
        key_id = head[len(_MAGIC) + 1 :].decode("ascii", "replace")
        try:
            return self._cipher(key_id, about).decrypt(nonce, rest, head + about.encode())
        except InvalidTag as error:
            raise TamperedError(f"{about} was changed after it was encrypted with the key {key_id!r}") from error

    def encrypt_text(self, text: str, about: str) -> str:
        """Return the text encrypted, as text; raises as `encrypt`."""
        if self._write_with is None:
            return text
        return PREFIX + base64.b64encode(self.encrypt(text.encode(), about)).decode()

    def decrypt_text(self, text: str, about: str) -> str:
        """Return the decrypted text; raises as `decrypt`."""
        if not text.startswith(PREFIX):
            self.accept_unencrypted(about)
            return text
        try:
            data = base64.b64decode(text[len(PREFIX) :], validate=True)
        except (binascii.Error, ValueError) as error:
            raise TamperedError(f"{about} is encrypted and was changed") from error
        if not data.startswith(_MAGIC):
            raise TamperedError(f"{about} is encrypted and was changed")
        return self.decrypt(data, about).decode()

    def accept_unencrypted(self, about: str) -> None:
        """Accept plain text. Raises TamperedError where only encrypted data is accepted."""
        if not self._accept_unsealed:
            raise TamperedError(f"{about} is not encrypted, and ACCEPT_UNENCRYPTED is false")

    def name_digest(self, name: str) -> str | None:
        """Return a keyed digest that replaces a confidential name; None without keys."""
        if self._provider is None:
            return None
        keys = self._keys or self._current_keys()
        return hmac.digest(keys.names, name.encode(), "sha256").hex()[:32]

    def _current_keys(self) -> _LoadedKeys:
        """Return the keys, reloaded every few seconds; while that fails, the last ones."""
        keys = self._keys
        if keys is not None and self._clock() - keys.at < _REFRESH_SECONDS:
            return keys
        if self._provider is None:
            raise UnknownKeyError("there is no key to encrypt with")
        try:
            return self._load(self._provider)
        except (KeysError, TransientError) as error:
            if keys is None:
                raise UnknownKeyError(f"there is no key to encrypt with: {error}") from error
            log.error("could not load the encryption keys, the last ones stay in use", extra={"cause": str(error)})
            self._keys = _LoadedKeys(keys.current, keys.names, keys.ciphers, self._clock())
            return keys

    def _cipher(self, key_id: str, about: str) -> AESGCM:
        """Return the cipher for a key id; for an unknown id, reload the keys first."""
        cause = "no keys are configured: ENCRYPTION_KEY_ID is not set"
        if self._keys is not None and key_id in self._keys.ciphers:
            return self._keys.ciphers[key_id]
        if self._provider is not None:
            cause = "this key does not exist here"
            try:
                keys = self._load(self._provider)
            except (KeysError, TransientError) as error:
                raise UnknownKeyError(f"{about} is encrypted with the key {key_id!r}: {error}") from error
            if key_id in keys.ciphers:
                return keys.ciphers[key_id]
        raise UnknownKeyError(f"{about} is encrypted with the key {key_id!r}: {cause}")

    def _load(self, provider: KeyProvider) -> _LoadedKeys:
        with self._guard:
            provided = provider.keys()
            if self._write_with not in {None, USE_CURRENT, *provided.by_id}:
                raise KeysError(f"ENCRYPTION_KEY_ID is {self._write_with!r}, which is not among the keys")
            if self._keys is not None and self._keys.names != provided.names:
                # With another key for names, no existing record could be found.
                raise KeysError("the keys were replaced: the entry 'names' has changed since the start")
            ciphers = {key_id: AESGCM(key) for key_id, key in provided.by_id.items()}
            self._keys = keys = _LoadedKeys(provided.current, provided.names, ciphers, self._clock())
        return keys
