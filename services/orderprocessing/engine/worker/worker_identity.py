"""The identity of a worker process: its name, and the version of the code that it runs."""

import hashlib
import os
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from services.common.config import ServiceConfig

MAX_LENGTH = 64
_HASH_LENGTH = 10
_ORDERPROCESSING = Path(__file__).resolve().parents[2]
_SOURCES = ("workflows", "activities")

Label = Annotated[str, Field(min_length=1, max_length=MAX_LENGTH, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""A name or version of a worker; it appears in logs, in histories and in the keys of stored records."""


class WorkerIdentityConfig(ServiceConfig):
    """The settings that name a worker; None stands for the defaults of `worker_identity`."""

    worker_name: Label | None = None
    worker_version: Label | None = None


@dataclass(frozen=True)
class WorkerIdentity:
    """A worker: its name, unique among those that run, and the version of its workflows and activities."""

    name: str
    version: str


def worker_identity(config: WorkerIdentityConfig) -> WorkerIdentity:
    """Return the identity of this process.

    The name defaults to the host name and the process id, the version to a hash of the source files of the workflows
    and activities.
    """
    return WorkerIdentity(
        config.worker_name or default_name(socket.gethostname(), os.getpid()),
        config.worker_version or source_hash(_ORDERPROCESSING / folder for folder in _SOURCES),
    )


def default_name(host: str, process_id: int) -> str:
    """Return `host-process_id`, shortened and with the characters that a label allows."""
    suffix = f"-{process_id}"
    allowed = re.sub(r"[^A-Za-z0-9._-]+", "-", host).lstrip("._-")
    return (allowed or "worker")[: MAX_LENGTH - len(suffix)] + suffix


def source_hash(folders: Iterable[Path]) -> str:
    """Return a short hash of the names and contents of all Python files in these folders."""
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted(folder.rglob("*.py")):
            content = file.read_bytes()
            digest.update(f"{folder.name}/{file.relative_to(folder).as_posix()} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()[:_HASH_LENGTH]
