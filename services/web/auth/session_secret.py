"""The secret that sessions are signed with: made at the first start, the same for all replicas that share its file."""

import os
import secrets
from pathlib import Path

_BYTES = 32


class SecretError(Exception):
    """The secret can be neither read nor made; the sentence says why."""


def session_secret(path: Path) -> bytes:
    """Return the secret in a file; where there is none it is made, for its owner's eyes only. Raises SecretError."""
    try:
        if not path.exists():
            _make(path)
        secret = path.read_bytes()
    except OSError as error:
        raise SecretError(f"the secret of the sessions in {path}: {error.strerror}") from error
    if len(secret) < _BYTES:
        raise SecretError(f"the secret of the sessions in {path} is shorter than {_BYTES} bytes")
    return secret


def _make(path: Path) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
        file.write(secrets.token_bytes(_BYTES))
    try:
        # Another replica that is first wins: a link, unlike a rename, replaces nothing.
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
