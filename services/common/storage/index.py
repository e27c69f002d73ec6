"""An index in the state store: newest first, at a constant cost per call, without a key that all writers contend for.

Entries are stored in pages of a fixed size, and pages in shards. The head of a shard has the number of its last page
and the pages with open entries. The id of an entry determines its shard, so that a put that is repeated after a crash,
by any process, finds the entry of the first attempt. Writers in one process share writes (group commit); readers merge
the shards.

Keys: `<name>/<shard>` is a head, `<name>/<shard>/<page>` a page. A page is written before its head, and both are
derived from the state that was just read, so any write may be repeated after a crash.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from pydantic import BaseModel, Field

from services.common.clock import Clock, utc_now
from services.common.dapr.sidecar import TransientError
from services.common.records import Entry, EntryLocation
from services.common.storage.documents import ConflictError, Decoder, Documents, Stored
from services.common.storage.group_commit import GroupCommit

SHARDS = 4
PAGE_SIZE = 20
"""Entries of a page. It is small, because each added entry rewrites its page; old pages have up to `LONGEST_PAGE`."""
LONGEST_PAGE = 50
_MAX_ATTEMPTS = 20
_CLOSED_SECONDS = 60
_LOOK_BACK = 5
"""How many pages before the last are searched for an entry that an attempt before a crash has appended."""
_MAX_LOOK_BACK = 150
"""The same where the caller gives the time of the first attempt."""
_READ_AHEAD = 10
_PAGES_DECODED = 20
"""How many parsed pages of a shard are cached."""
WHAT = "a part of an index"
"""The name of an unreadable page or head in errors."""


class ShardHead(BaseModel):
    """The state of a shard: its last page, the number of open entries by page, and counts of closed entries.

    `closed` counts entries by the status they were closed with and by Unix second, for the last minute.
    """

    last: int = 0
    open: dict[int, int] = Field(default_factory=dict)
    closed: dict[str, dict[int, int]] = Field(default_factory=dict)


class Page(BaseModel):
    """The entries of a page, oldest first."""

    entries: list[Entry] = Field(default_factory=list)

    def find(self, entry_id: str) -> int | None:
        """Return the position of an entry, or None."""
        return next((i for i, entry in enumerate(self.entries) if entry.id == entry_id), None)


@dataclass(frozen=True)
class _Put:
    entry: Entry
    entry_location: EntryLocation | None
    since: str | None = None
    drop: bool = False


def head_key(name: str, shard: int) -> str:
    """Return the key of a shard's head."""
    return f"{name}/{shard}"


def page_key(name: str, shard: int, page: int) -> str:
    """Return the key of a page."""
    return f"{name}/{shard}/{page}"


class Index:
    """The writing side of an index; `index_reader.IndexReader` is the reading side."""

    def __init__(self, documents: Documents, name: str, clock: Clock = utc_now) -> None:
        self._shards = [_Shard(documents, name, shard, clock) for shard in range(SHARDS)]

    def put(self, entry: Entry, entry_location: EntryLocation | None = None, since: str | None = None) -> EntryLocation:
        """Append the entry, or with its location replace an older revision of it; return its location.

        Repeating a put changes nothing. A put that may be repeated long after its first attempt passes in `since` (a
        time as `Entry.at`) the earliest possible time of that attempt. Raises TransientError.
        """
        shard = entry_location.shard if entry_location else _shard_of(entry)
        return self._shards[shard].group_commit.submit(_Put(entry, entry_location, since))

    def append_all(self, entries: Sequence[Entry], since: str) -> None:
        """Append the entries in as few writes as possible; `since` is as in `put`. Raises TransientError."""
        by_shard: dict[int, list[_Put]] = {}
        for entry in entries:
            by_shard.setdefault(_shard_of(entry), []).append(_Put(entry, None, since))
        for shard, puts in by_shard.items():
            self._shards[shard].group_commit.submit_all(puts)

    def drop(self, entry: Entry) -> None:
        """Blank an entry that was read from this index, so that readers skip it and its id may be put again."""
        if entry.entry_location is not None:
            self._shards[entry.entry_location.shard].group_commit.submit(_Put(entry, entry.entry_location, drop=True))


def _shard_of(entry: Entry) -> int:
    return crc32(entry.id.encode()) % SHARDS


class _Shard:
    def __init__(self, documents: Documents, name: str, shard: int, clock: Clock) -> None:
        self._documents, self._name, self._number, self._clock = documents, name, shard, clock
        self._pages = Decoder(Page, _PAGES_DECODED, WHAT)
        # The rest of the name may contain a customer id.
        self._kind = name.partition("/")[0]
        self._last_seen = 0
        self.group_commit: GroupCommit[_Put, EntryLocation] = GroupCommit(self._apply)

    def _apply(self, puts: Sequence[_Put]) -> Sequence[EntryLocation]:
        for _ in range(_MAX_ATTEMPTS):
            head, stored = self._read(puts)
            pages = {number: self._page(number, document) for number, document in stored.items()}
            batch = _Batch(self._number, int(self._clock().timestamp()), head, stored, pages)
            locations = [batch.apply(put) for put in puts]
            try:
                self._write(batch)
            except ConflictError:
                continue
            self._last_seen = batch.head.last
            return locations
        raise TransientError(f"too many concurrent writes to an index of {self._kind}")

    def _read(self, puts: Sequence[_Put]) -> tuple[Stored | None, dict[int, Stored | None]]:
        """Read the head, the pages of the batch's locations, and the last pages with room for appended entries."""
        located = {put.entry_location.page for put in puts if put.entry_location}
        appends = sum(put.entry_location is None for put in puts)
        last = self._last_seen
        for _ in range(_MAX_ATTEMPTS):
            recent = range(max(last - _LOOK_BACK, 0), last + 2 + appends // PAGE_SIZE) if appends else range(0)
            pages = sorted(located | set(recent))
            documents = self._documents.load_many([head_key(self._name, self._number), *map(self._page_key, pages)])
            head = documents.get(head_key(self._name, self._number))
            stored = {page: documents.get(self._page_key(page)) for page in pages}
            # A crash may have left pages after the last page of the head; they count too.
            actual = max([head.read_as(ShardHead, WHAT).last if head else 0, *(p for p in recent if stored[p])])
            if actual == last or not appends:
                return head, stored | self._older(recent, stored, puts)
            last = actual
        raise TransientError(f"an index of {self._kind} grows faster than it is read")

    def _older(self, recent: range, stored: dict[int, Stored | None], puts: Sequence[_Put]) -> dict[int, Stored | None]:
        """Read older pages, as long as a page may contain an entry that an earlier attempt of a put has appended."""
        since = min((put.since for put in puts if put.since and put.entry_location is None), default=None)
        older: dict[int, Stored | None] = {}
        oldest = stored[recent[0]] if since and recent else None
        while since and oldest and (first := min(older, default=recent[0])) > 0 and len(older) < _MAX_LOOK_BACK:
            if max((entry.at for entry in self._pages.read(self._page_key(first), oldest).entries), default="") < since:
                break
            pages = range(max(first - _READ_AHEAD, 0), first)
            documents = self._documents.load_many([self._page_key(page) for page in pages])
            older |= {page: documents.get(self._page_key(page)) for page in pages}
            oldest = older[pages[0]]
        return older

    def _write(self, batch: "_Batch") -> None:
        for number in sorted(batch.dirty):
            stored, page = batch.stored[number], batch.pages[number]
            data = page.model_dump_json(exclude_defaults=True).encode()
            self._documents.save(self._page_key(number), data, stored.etag if stored else None)
            self._pages.remember(self._page_key(number), data, page)
        if batch.head != batch.head_before or batch.stored_head is None:
            stored = batch.stored_head
            key = head_key(self._name, self._number)
            self._documents.save(key, batch.head.model_dump_json().encode(), stored.etag if stored else None)

    def _page(self, number: int, stored: Stored | None) -> Page:
        """Return a mutable copy of a page."""
        entries = self._pages.read(self._page_key(number), stored).entries if stored else []
        return Page.model_construct(entries=[*entries])

    def _page_key(self, page: int) -> str:
        return page_key(self._name, self._number, page)


class _Batch:
    """Applies puts to the pages and the head that were read; pure."""

    def __init__(
        self,
        shard: int,
        now: int,
        stored_head: Stored | None,
        stored: dict[int, Stored | None],
        pages: dict[int, Page],
    ) -> None:
        self.shard, self.now, self.stored_head, self.stored, self.pages = shard, now, stored_head, stored, pages
        self.head_before = stored_head.read_as(ShardHead, WHAT) if stored_head else ShardHead()
        self.head = self.head_before.model_copy(deep=True)
        self.head.last = max([self.head.last, *(number for number, document in stored.items() if document)])
        self.dirty: set[int] = set()

    def apply(self, put: _Put) -> EntryLocation:
        number = put.entry_location.page if put.entry_location else self._number_for(put.entry)
        page = self.pages[number]
        position = page.find(put.entry.id)
        if put.drop:
            self._blank(number, position)
        elif position is None:
            page.entries.append(put.entry)
            self.dirty.add(number)
        elif page.entries[position].rev < put.entry.rev:
            if page.entries[position].open and not put.entry.open:
                self._count_closed(str(put.entry.data.get("status")))
            page.entries[position] = put.entry
            self.dirty.add(number)
        # Recounted with each put, so that a repeated put corrects the head after a crash between page and head.
        count = sum(entry.open for entry in page.entries)
        self.head.open.pop(number, None)
        if count:
            self.head.open[number] = count
        return EntryLocation(shard=self.shard, page=number)

    def _blank(self, number: int, position: int | None) -> None:
        if position is not None:
            entries = self.pages[number].entries
            # An empty entry remains, because cursors count entries.
            entries[position] = Entry(id="", at=entries[position].at)
            self.dirty.add(number)

    def _count_closed(self, status: str) -> None:
        recent = {at: n for at, n in self.head.closed.get(status, {}).items() if at > self.now - _CLOSED_SECONDS}
        self.head.closed[status] = recent | {self.now: recent.get(self.now, 0) + 1}

    def _number_for(self, entry: Entry) -> int:
        for number in sorted(self.pages, reverse=True):
            if self.pages[number].find(entry.id) is not None:
                return number  # an earlier attempt appended it, but its response was lost
        while len(self.pages[self.head.last].entries) >= PAGE_SIZE:
            self.head.last += 1
        return self.head.last
