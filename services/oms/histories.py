"""Files of exported histories: their options, and how `oms history --export` writes them, decoded or sealed."""

import argparse
import gzip
import json
import os
import stat
from pathlib import Path
from typing import Any

from services.common.dapr.sidecar import TransientError
from services.common.encryption.encryptor import USE_CURRENT, Encryptor
from services.common.encryption.keys import FileKeys
from services.oms.codec_server import DEFAULT_KEYS

ABOUT = "an exported workflow history"
"""The `about` of sealed files."""


class HistoryFileError(Exception):
    """A history cannot be written, read or replayed; the message says why."""


def add_export_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of an export to the command that shows a history."""
    parser.add_argument(
        "--export", type=Path, metavar="FILE", help="write the complete history to a file (.json, .json.gz)"
    )
    parser.add_argument("--sealed", action="store_true", help="compress and encrypt the file with the current key")
    _add_keys(parser)


def add_replay_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a replay."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="exported histories, also sealed ones")
    parser.add_argument(
        "--compare-inputs", action="store_true", help="compare the inputs of activities and children too"
    )
    _add_keys(parser)


def write(path: Path, export: Any, sealed: bool, keys: Path) -> None:
    """Write an export to a file that only its owner can read. Raises HistoryFileError and KeysError."""
    data = (json.dumps(export, indent=1) + "\n").encode()
    if sealed or path.suffix == ".gz":
        data = gzip.compress(data, mtime=0)
    try:
        if sealed:
            data = Encryptor(FileKeys(keys), USE_CURRENT).encrypt(data, ABOUT)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                os.fchmod(file.fileno(), 0o600)  # the file may have existed
            file.write(data)
    except OSError as error:
        raise HistoryFileError(f"{path} cannot be written: {error.strerror}") from error
    except TransientError as error:
        raise HistoryFileError(str(error)) from error


def _add_keys(parser: argparse.ArgumentParser) -> None:
    default = os.environ.get("ENCRYPTION_KEYS_FILE", DEFAULT_KEYS)
    parser.add_argument(
        "--keys", type=Path, default=Path(default), help="ENCRYPTION_KEYS_FILE, for sealed files; %(default)s"
    )
