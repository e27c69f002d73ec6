"""`oms replay`: runs exported histories against the workflow code of this checkout."""

import argparse
import gzip
import json
from pathlib import Path

from services.common.dapr.sidecar import TransientError
from services.common.encryption.encryptor import Encryptor
from services.common.encryption.keys import FileKeys
from services.oms.histories import ABOUT, HistoryFileError
from services.orderprocessing.engine.activity_run import without_engine_tries
from services.orderprocessing.engine.external_events import translate_event
from services.orderprocessing.registry import WORKFLOWS
from services.orderprocessing.workflows.versions import by_workflow
from workflow_testing.cli import report
from workflow_testing.histories import History, HistoryFormatError, parse_histories

_GZIP = b"\x1f\x8b"


def read(path: Path, keys: Path) -> list[History]:
    """Return the histories in a file, sealed or not. Raises HistoryFileError and KeysError."""
    try:
        data = path.read_bytes()
        if not data.startswith((b"{", b"[", _GZIP)):
            data = Encryptor(FileKeys(keys)).decrypt(data, ABOUT)
        return parse_histories(json.loads(gzip.decompress(data) if data.startswith(_GZIP) else data))
    except OSError as error:
        raise HistoryFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except HistoryFormatError as error:
        raise HistoryFileError(f"{path}: {error}") from error
    except (TransientError, EOFError, ValueError) as error:
        raise HistoryFileError(f"{path} cannot be read: {error}") from error


def replay(options: argparse.Namespace) -> int:
    """Replay histories with the workflow code of this checkout; the exit code is 1 where they differ."""
    histories = [history for path in options.files for history in read(path, options.keys)]
    for history in histories:
        for event in history.events:
            translate_event(event)
            if event.HasField("taskScheduled"):
                given = event.taskScheduled.input
                given.value = without_engine_tries(given.value)
    return report(histories, by_workflow(WORKFLOWS), options.compare_inputs)
