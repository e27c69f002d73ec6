"""Exactly-once updates of a document that many operations share, without transactions and in bounded space.

An operation (a reservation, a charge) has a record of its own. It runs these steps in order; each can be repeated:
1. its record is written as pending;
2. the shared document is changed and, by the same write, gets a marker with the operation's key;
3. its record is written as done; from then on any later write may remove the marker.

A retry after a crash finds the marker. A late duplicate, in any process, finds the marker or the done record: it reads
the shared document first, then the record, and then writes the document under the version it has read. If the marker
was added in the meantime, the write conflicts; if it was added and removed before, the record is done.
"""

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Generic, TypeVar

from services.common.clock import Clock, rfc3339
from services.common.records import Effect, MarkedDocument, OperationMarker
from services.common.storage.documents import Records
from services.common.storage.group_commit import GroupCommit

_LOOK_UP_AFTER = timedelta(seconds=60)
"""The age from which an unknown marker is looked up, because it may be from before a restart."""
_MAX_LOOK_UPS = 20
"""How many markers one write looks up."""
_MAX_REMEMBERED = 50_000


D = TypeVar("D", bound=MarkedDocument)

Change = Callable[[D], tuple[D, Effect]]
"""Returns the changed document and the effect. It must be pure and must not raise: operations share a write."""


@dataclass(frozen=True)
class _Operation(Generic[D]):
    key: str | None
    change: Change[D]


class _Writer(Generic[D]):
    def __init__(self, write: Callable[[Sequence[_Operation[D]]], Sequence[Effect | None]]) -> None:
        self.group_commit: GroupCommit[_Operation[D], Effect | None] = GroupCommit(write)
        self.users = 0


class ExactlyOnceUpdater(Generic[D]):
    """Changes shared documents of one kind, in group commits. Each key changes a document at most once.

    `settled` takes keys of operations and returns those whose records are done. `fresh` creates a document by its id.
    """

    def __init__(
        self,
        records: Records[D],
        settled: Callable[[Sequence[str]], Collection[str]],
        fresh: Callable[[str], D],
        clock: Clock,
    ) -> None:
        self._records, self._settled, self._fresh, self._clock = records, settled, fresh, clock
        self._guard = threading.Lock()
        self._writers: dict[str, _Writer[D]] = {}
        self._forgotten: dict[tuple[str, str], None] = {}

    def apply(self, document_id: str, key: str | None, change: Change[D]) -> Effect | None:
        """Apply the operation unless it was applied before; return its effect, then or now.

        None means that the operation is done, as its record says. Without a key every call is applied.
        Raises TransientError.
        """
        with self._guard:
            writer = self._writers.setdefault(document_id, _Writer(partial(self._write, document_id)))
            writer.users += 1
        try:
            return writer.group_commit.submit(_Operation(key, change))
        finally:
            with self._guard:
                writer.users -= 1
                if not writer.users:
                    del self._writers[document_id]

    def forget(self, document_id: str, key: str) -> None:
        """Remove the marker with the next write. Call it only after the operation's record is done."""
        with self._guard:
            self._forgotten[document_id, key] = None
            if len(self._forgotten) > _MAX_REMEMBERED:
                del self._forgotten[next(iter(self._forgotten))]  # the marker is looked up later instead

    def _write(self, document_id: str, operations: Sequence[_Operation[D]]) -> Sequence[Effect | None]:
        results: list[Effect | None] = []
        removed: set[str] = set()

        def change(before: D | None) -> D:
            document = self._fresh(document_id) if before is None else before
            now = self._clock()
            forgotten = {key for key in document.marks if (document_id, key) in self._forgotten}
            old = _old(document, forgotten, now)
            unmarked = {operation.key for operation in operations if operation.key is not None} - document.marks.keys()
            to_look_up = [*unmarked, *old]
            settled = set(self._settled(to_look_up)) if to_look_up else set()
            after, results[:] = _applied(document, operations, settled, rfc3339(now))
            if after is document:
                return document
            removed.clear()
            removed.update(forgotten | (settled & document.marks.keys()))
            # An old marker of a pending operation is looked up again only after the same time.
            postponed = {
                key: mark.model_copy(update={"at": rfc3339(now)}) for key, mark in after.marks.items() if key in old
            }
            marks = {key: mark for key, mark in (after.marks | postponed).items() if key not in removed}
            return after.model_copy(update={"marks": marks})

        self._records.update(document_id, change)
        with self._guard:
            for key in removed:
                self._forgotten.pop((document_id, key), None)
        return results


def _old(document: MarkedDocument, known: Collection[str], now: datetime) -> list[str]:
    limit = rfc3339(now - _LOOK_UP_AFTER)
    return [key for key, mark in document.marks.items() if mark.at < limit and key not in known][:_MAX_LOOK_UPS]


def _applied(
    document: D, operations: Sequence[_Operation[D]], settled: Collection[str], now: str
) -> tuple[D, list[Effect | None]]:
    """Return the document after the operations, the same object if nothing changed, and the effect of each."""
    results: list[Effect | None] = []
    for operation in operations:
        if operation.key in document.marks:
            results.append(document.marks[operation.key].did)
        elif operation.key in settled:
            results.append(None)
        else:
            document, effect = operation.change(document)
            results.append(effect)
            if operation.key is not None:
                marks = document.marks | {operation.key: OperationMarker(at=now, did=effect)}
                document = document.model_copy(update={"marks": marks})
    return document, results
