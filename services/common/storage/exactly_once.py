"""Exactly once on a document that many operations share, without a transaction and without growing for ever.

An operation (a reservation, a charge) has a record of its own. In this order, each step repeatable:
1. its record says that it is under way;
2. the shared document is changed and, by the same write, marked with the operation's key;
3. its record says that it is done, and from then on the mark may go with any later write.

A repeat after a crash finds the mark. A late duplicate, in any process, finds the mark or the done record:
the shared document is read first, then the record, then the shared document is written under the version that
was read. Had the mark come since, the write would conflict; had it come and gone before, the record would be
done.
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

_UNKNOWN_FOR = timedelta(seconds=60)
"""A mark this old that the process knows nothing of is looked up: it may be from before a restart."""
_LOOK_UPS = 20
"""How many such marks one write looks up at most."""
_MOST_REMEMBERED = 50_000


D = TypeVar("D", bound=MarkedDocument)

Change = Callable[[D], tuple[D, Effect]]
"""Changes the document and tells what it did; pure, and total: it shares its write with other operations."""


@dataclass(frozen=True)
class _Operation(Generic[D]):
    key: str | None
    change: Change[D]


class _Turn(Generic[D]):
    def __init__(self, write: Callable[[Sequence[_Operation[D]]], Sequence[Effect | None]]) -> None:
        self.group_commit: GroupCommit[_Operation[D], Effect | None] = GroupCommit(write)
        self.users = 0


class ExactlyOnceUpdater(Generic[D]):
    """Changes shared documents of one kind, in group commits.

    `settled` is given operations' keys and returns those whose records say that they are done; `fresh` makes
    the document with an id where there is none yet. A key changes each document at most once.
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
        self._turns: dict[str, _Turn[D]] = {}
        self._forgotten: dict[tuple[str, str], None] = {}

    def apply(self, document_id: str, key: str | None, change: Change[D]) -> Effect | None:
        """Change the document unless the key's operation already has; return what was done, then or now.

        None means that the operation is settled: its record knows the rest. Without a key every call counts.
        Raises TransientError.
        """
        with self._guard:
            turn = self._turns.setdefault(document_id, _Turn(partial(self._write, document_id)))
            turn.users += 1
        try:
            return turn.group_commit.submit(_Operation(key, change))
        finally:
            with self._guard:
                turn.users -= 1
                if not turn.users:
                    del self._turns[document_id]

    def forget(self, document_id: str, key: str) -> None:
        """Let the mark go with the next write; only after the operation's record says that it is done."""
        with self._guard:
            self._forgotten[document_id, key] = None
            if len(self._forgotten) > _MOST_REMEMBERED:
                del self._forgotten[next(iter(self._forgotten))]  # it will be looked up instead

    def _write(self, document_id: str, operations: Sequence[_Operation[D]]) -> Sequence[Effect | None]:
        results: list[Effect | None] = []
        gone: set[str] = set()

        def change(before: D | None) -> D:
            document = self._fresh(document_id) if before is None else before
            now = self._clock()
            forgotten = {key for key in document.marks if (document_id, key) in self._forgotten}
            old = _old(document, forgotten, now)
            unmarked = {one.key for one in operations if one.key is not None} - document.marks.keys()
            asked = [*unmarked, *old]
            settled = set(self._settled(asked)) if asked else set()
            after, results[:] = _applied(document, operations, settled, rfc3339(now))
            if after is document:
                return document
            gone.clear()
            gone.update(forgotten | (settled & document.marks.keys()))
            # What is old and still under way is asked about again only after as long a time.
            fresh = {
                key: mark.model_copy(update={"at": rfc3339(now)}) for key, mark in after.marks.items() if key in old
            }
            marks = {key: mark for key, mark in (after.marks | fresh).items() if key not in gone}
            return after.model_copy(update={"marks": marks})

        self._records.update(document_id, change)
        with self._guard:
            for key in gone:
                self._forgotten.pop((document_id, key), None)
        return results


def _old(document: MarkedDocument, known: Collection[str], now: datetime) -> list[str]:
    limit = rfc3339(now - _UNKNOWN_FOR)
    return [key for key, mark in document.marks.items() if mark.at < limit and key not in known][:_LOOK_UPS]


def _applied(
    document: D, operations: Sequence[_Operation[D]], settled: Collection[str], now: str
) -> tuple[D, list[Effect | None]]:
    """Return the document after the operations, the very same if they change nothing, and what each did."""
    results: list[Effect | None] = []
    for one in operations:
        if one.key in document.marks:
            results.append(document.marks[one.key].did)
        elif one.key in settled:
            results.append(None)
        else:
            document, did = one.change(document)
            results.append(did)
            if one.key is not None:
                marks = document.marks | {one.key: OperationMarker(at=now, did=did)}
                document = document.model_copy(update={"marks": marks})
    return document, results
