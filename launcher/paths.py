"""Where things are: the checkout, the cache outside it, the virtual environment."""

import hashlib
import os
from pathlib import Path

PROJECT = "oms"
ROOT = Path(__file__).resolve().parent.parent
GO_MODULES = Path(__file__).resolve().parent / "setup" / "golang"
VENV = ROOT / ".venv"
DEFAULT_STATE = ROOT / ".state"


def cache_dir() -> Path:
    """Return the project's folder in the user's cache, made if need be."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / PROJECT
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def digest(paths: list[Path], extra: str = "") -> str:
    """Return a short fingerprint of the files' contents and of `extra`."""
    total = hashlib.sha256(extra.encode())
    for path in sorted(paths):
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:16]
