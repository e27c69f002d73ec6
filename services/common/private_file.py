"""Writes files for their owner's eyes only.

Standard library only, as the launcher uses it before anything is installed.
"""

import os
import tempfile
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Write the file whole or not at all, on disk when this returns, readable by its owner only. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
