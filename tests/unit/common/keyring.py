"""Encryption keys for tests: an in-memory provider whose keys can be rotated, replaced and removed."""

from services.common.encryption.encryptor import USE_CURRENT, Encryptor
from services.common.encryption.key_file import KeysError
from services.common.encryption.keys import Keys


class FakeKeys:
    """Keys in memory; `error` is raised when they are asked for."""

    def __init__(self, first: str = "first") -> None:
        self.names = b"n" * 32
        self.by_id: dict[str, bytes] = {}
        self.error: Exception | None = None
        self.reads = 0
        self.rotate(first)

    def keys(self) -> Keys:
        self.reads += 1
        if self.error:
            raise self.error
        return Keys(self.current, self.names, dict(self.by_id))

    def rotate(self, new: str) -> None:
        self.current = new
        self.by_id[new] = new.encode().ljust(32, b".")

    def lose(self) -> None:
        self.error = KeysError("the key file is missing")


def make_encryptor(
    keys: FakeKeys | None = None, write_with: str | None = USE_CURRENT, accept_unencrypted: bool = True
) -> Encryptor:
    """Return an encryptor, by default with its own keys."""
    return Encryptor(keys or FakeKeys(), write_with, accept_unencrypted)
