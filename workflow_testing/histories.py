"""Reads and writes recorded histories: the engine's HistoryEvent messages as JSON.

A file holds `{"instances": [{"instanceId": …, "events": […]}, …]}`, one such instance, or a bare list of events. Each
event has the JSON form of its protobuf message. A file whose name ends in `.gz` is compressed with gzip.
"""

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from workflow_testing.sdk import pb


@dataclass(frozen=True)
class History:
    """The recorded events of a workflow instance, oldest first."""

    instance_id: str
    events: Sequence[Any]

    @property
    def workflow(self) -> str | None:
        """The name of the workflow, None in a history without a start."""
        started = (event.executionStarted for event in self.events if event.HasField("executionStarted"))
        return next((str(start.name) for start in started), None)

    def to_json(self) -> dict[str, Any]:
        """Return the history as JSON."""
        return {"instanceId": self.instance_id, "events": [MessageToDict(event) for event in self.events]}


class HistoryFormatError(ValueError):
    """A file or document holds no history."""


def read_histories(path: Path) -> list[History]:
    """Return the histories in a file. Raises OSError and HistoryFormatError."""
    data = path.read_bytes()
    try:
        return parse_histories(json.loads(gzip.decompress(data) if path.suffix == ".gz" else data))
    except (ValueError, EOFError, gzip.BadGzipFile) as error:
        raise HistoryFormatError(f"{path} holds no history: {error}") from error


def parse_histories(document: Any) -> list[History]:
    """Return the histories in a JSON document. Raises HistoryFormatError."""
    if isinstance(document, dict) and "instances" in document:
        return [_history(instance) for instance in document["instances"]]
    return [_history(document)]


def write_histories(path: Path, histories: Iterable[History]) -> None:
    """Write histories to a file; the same histories make the same bytes."""
    document = {"instances": [history.to_json() for history in histories]}
    data = (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def _history(document: Any) -> History:
    listed = document.get("events") if isinstance(document, dict) else document
    if not isinstance(listed, list):
        raise HistoryFormatError("a history is a list of events, or an object with a list of `events`")
    try:
        events = [ParseDict(event, pb.HistoryEvent(), ignore_unknown_fields=True) for event in listed]
    except (ParseError, AttributeError, TypeError) as error:
        raise HistoryFormatError(str(error)) from error
    named = document.get("instanceId") if isinstance(document, dict) else None
    return History(str(named or _instance_id(events)), events)


def _instance_id(events: Sequence[Any]) -> str:
    starts = [event.executionStarted for event in events if event.HasField("executionStarted")]
    return str(starts[0].workflowInstance.instanceId) if starts else ""
