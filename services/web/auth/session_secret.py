"""The secret that signs sessions: created at the first start, and shared by all replicas through its file."""

import secrets
from pathlib import Path

from services.common.encryption import private_file

_BYTES = 32


class SecretError(Exception):
    """The secret can be neither read nor created; the message says why."""


def session_secret(path: Path) -> bytes:
    """Return the secret in a file, which is created, readable by its owner only, if missing. Raises SecretError."""
    try:
        if not path.exists():
            with private_file.exclusive_lock(path):
                if not path.exists():
                    private_file.write(path, secrets.token_hex(_BYTES))
        secret = path.read_bytes()
    except OSError as error:
        raise SecretError(f"could not read or create the session secret {path}: {error.strerror}") from error
    if len(secret) < _BYTES:
        raise SecretError(f"the session secret {path} is shorter than {_BYTES} bytes")
    return secret
