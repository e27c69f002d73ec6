"""The archive of finished workflow histories, which outlives the engine's retention.

A history is one document: compressed, encrypted like every document, and deleted by the store after its time.
"""

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any, Protocol

from dapr.ext.workflow._durabletask.internal import protos
from google.protobuf.json_format import MessageToDict, ParseDict

from services.common.clock import Clock, rfc3339, utc_now
from services.common.json_models import ApiModel
from services.common.logs import get_logger
from services.common.storage.documents import Documents, Records

log = get_logger(__name__)

DEFAULT_SECONDS = 30 * 24 * 3600.0
DEFAULT_LIMIT = 1024 * 1024

Histories = list[tuple[str, list[Any]]]
"""Workflow instances with their events, which are the engine's HistoryEvent messages."""


class HistorySource(Protocol):
    """The part of the workflow engine that exports and the archive need."""

    def events(self, instances: Sequence[str]) -> Histories:
        """Return the events of those of the workflow instances that exist or are archived. Raises TransientError."""


class ArchivedHistory(ApiModel):
    """The events of a finished workflow instance: JSON, compressed, in base64."""

    instance_id: str
    archived_at: str
    events: str


class HistoryArchive:
    """Archived histories: kept for `seconds`, and only those with up to `limit` compressed bytes."""

    def __init__(
        self,
        documents: Documents,
        seconds: float = DEFAULT_SECONDS,
        limit: int = DEFAULT_LIMIT,
        clock: Clock = utc_now,
    ) -> None:
        self._records = Records(documents, "history", ArchivedHistory)
        self._seconds, self._limit, self._clock = seconds, limit, clock

    def store(self, instance: str, events: Sequence[Any]) -> bool:
        """Archive a history; return False if it is too large. Storing it again changes nothing."""
        data = gzip.compress(json.dumps([MessageToDict(event) for event in events]).encode(), mtime=0)
        if len(data) > self._limit:
            log.warning(
                "a workflow history is too large for the archive", extra={"instance": instance, "bytes": len(data)}
            )
            return False
        text = base64.b64encode(data).decode()
        record = ArchivedHistory(instance_id=instance, archived_at=rfc3339(self._clock()), events=text)
        self._records.create(instance, record, ttl=max(1, int(self._seconds)))
        return True

    def load(self, instance: str) -> list[Any] | None:
        """Return the events of an archived history, or None."""
        record = self._records.get(instance)
        if record is None:
            return None
        events = json.loads(gzip.decompress(base64.b64decode(record.events)))
        return [ParseDict(event, protos.HistoryEvent(), ignore_unknown_fields=True) for event in events]

    def complete(self, instances: Sequence[str], known: Histories) -> Histories:
        """Return the histories with those that the engine has purged and the archive has, in the order of instances."""
        by_instance = dict(known)
        archived = {each: self.load(each) for each in instances if each not in by_instance}
        found = by_instance | {each: events for each, events in archived.items() if events is not None}
        return [(each, found[each]) for each in instances if each in found]
