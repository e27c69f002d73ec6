"""Paths of the checkout, of the cache outside it, and of the virtual environment."""

import hashlib
import os
from pathlib import Path

PROJECT = "oms"
ROOT = Path(__file__).resolve().parent.parent
GO_MODULES = Path(__file__).resolve().parent / "setup" / "golang"
VENV = ROOT / ".venv"
DEFAULT_STATE = ROOT / ".state"


def cache_dir() -> Path:
    """Return the project's folder in the user's cache. Creates it if it is missing."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / PROJECT
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def digest(paths: list[Path], extra: str = "") -> str:
    """Return a short hash of the files' contents and of `extra`."""
    hasher = hashlib.sha256(extra.encode())
    for path in sorted(paths):
        hasher.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return hasher.hexdigest()[:16]
