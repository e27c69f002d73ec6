"""The secret that signs sessions: created at the first start, and shared by all replicas through its file."""

import os
import secrets
from pathlib import Path

_BYTES = 32


class SecretError(Exception):
    """The secret can be neither read nor created; the message says why."""


def session_secret(path: Path) -> bytes:
    """Return the secret in a file, which is created, readable by its owner only, if missing. Raises SecretError."""
    try:
        if not path.exists():
            _create(path)
        secret = path.read_bytes()
    except OSError as error:
        raise SecretError(f"could not read or create the session secret {path}: {error.strerror}") from error
    if len(secret) < _BYTES:
        raise SecretError(f"the session secret {path} is shorter than {_BYTES} bytes")
    return secret


def _create(path: Path) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
        file.write(secrets.token_bytes(_BYTES))
    try:
        # The first replica wins: a link, unlike a rename, does not replace an existing file.
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
