"""An index in the state store: newest first, flat in cost however much it holds, without a key all writers fight for.

Entries lie in pages of a fixed size; pages follow each other in a shard; a shard's head names its last page and the
pages that still hold open entries. An entry's id chooses its shard, so that a put repeated after a crash, by any
process, finds what the first try left. Writers in one process share writes (group commit); readers merge the shards.

Keys: `<name>/<shard>` is a head, `<name>/<shard>/<page>` a page. A page is written before its head, and both are
derived from what is read just before, so any write may be repeated after a crash.
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
"""So few, as each line that is added writes its page anew; pages from before may hold up to `LONGEST_PAGE`."""
LONGEST_PAGE = 50
_MAX_ATTEMPTS = 20
_CLOSED_SECONDS = 60
_LOOK_BACK = 5
"""How many pages before the last are searched for what a try before a crash may have appended."""
_MOST_BACK = 150
"""The same where the caller says since when there may have been a try."""
_STEP = 10
_PAGES_DECODED = 20
"""How many pages of a shard are kept as they were read or written last."""
WHAT = "a part of an index"
"""What a page or a head is called that cannot be read."""


class ShardHead(BaseModel):
    """The state of a shard: its last page, how many open entries each page has that has any, and what was closed.

    `closed` counts, by the status that entries were closed with and by Unix second, for the last minute.
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
        self._lanes = [_Shard(documents, name, shard, clock) for shard in range(SHARDS)]

    def put(self, entry: Entry, entry_location: EntryLocation | None = None, since: str | None = None) -> EntryLocation:
        """Append the entry, or with its place replace an older revision of it; return where it lies.

        Repeating a put changes nothing; one that may be repeated long after its first try tells by `since` (as
        `Entry.at`) before which time there was none. Raises TransientError.
        """
        shard = entry_location.shard if entry_location else _shard_of(entry)
        return self._lanes[shard].group_commit.submit(_Put(entry, entry_location, since))

    def append_all(self, entries: Sequence[Entry], since: str) -> None:
        """Append the entries together, in as few writes as can be; `since` as in `put`. Raises TransientError."""
        by_lane: dict[int, list[_Put]] = {}
        for entry in entries:
            by_lane.setdefault(_shard_of(entry), []).append(_Put(entry, None, since))
        for shard, puts in by_lane.items():
            self._lanes[shard].group_commit.submit_all(puts)

    def drop(self, entry: Entry) -> None:
        """Blank an entry that was read here, so that readers pass over it and its id may be put again."""
        if entry.entry_location is not None:
            self._lanes[entry.entry_location.shard].group_commit.submit(_Put(entry, entry.entry_location, drop=True))


def _shard_of(entry: Entry) -> int:
    return crc32(entry.id.encode()) % SHARDS


class _Shard:
    def __init__(self, documents: Documents, name: str, shard: int, clock: Clock) -> None:
        self._documents, self._name, self._lane, self._clock = documents, name, shard, clock
        self._pages = Decoder(Page, _PAGES_DECODED, WHAT)
        # Of a customer's list the rest of the name is made of who he is.
        self._kind = name.partition("/")[0]
        self._last_seen = 0
        self.group_commit: GroupCommit[_Put, EntryLocation] = GroupCommit(self._apply)

    def _apply(self, puts: Sequence[_Put]) -> Sequence[EntryLocation]:
        for _ in range(_MAX_ATTEMPTS):
            head, stored = self._read(puts)
            pages = {number: self._page(number, found) for number, found in stored.items()}
            batch = _Batch(self._lane, int(self._clock().timestamp()), head, stored, pages)
            places = [batch.apply(put) for put in puts]
            try:
                self._write(batch)
            except ConflictError:
                continue
            self._last_seen = batch.head.last
            return places
        raise TransientError(f"an index of {self._kind} is being written by too many at once")

    def _read(self, puts: Sequence[_Put]) -> tuple[Stored | None, dict[int, Stored | None]]:
        """Read the head, the pages that the batch names, and the last pages with room for what it appends."""
        named = {put.entry_location.page for put in puts if put.entry_location}
        appends = sum(put.entry_location is None for put in puts)
        last = self._last_seen
        for _ in range(_MAX_ATTEMPTS):
            fresh = range(max(last - _LOOK_BACK, 0), last + 2 + appends // PAGE_SIZE) if appends else range(0)
            pages = sorted(named | set(fresh))
            found = self._documents.load_many([head_key(self._name, self._lane), *map(self._page_key, pages)])
            head = found.get(head_key(self._name, self._lane))
            stored = {page: found.get(self._page_key(page)) for page in pages}
            # A crash may have left pages that the head does not name yet; they count.
            actual = max([head.read_as(ShardHead, WHAT).last if head else 0, *(p for p in fresh if stored[p])])
            if actual == last or not appends:
                return head, stored | self._older(fresh, stored, puts)
            last = actual
        raise TransientError(f"an index of {self._kind} grows faster than it can be read")

    def _older(self, fresh: range, stored: dict[int, Stored | None], puts: Sequence[_Put]) -> dict[int, Stored | None]:
        """Read further back, for as long as a page may hold what one of the puts has appended before."""
        since = min((put.since for put in puts if put.since and put.entry_location is None), default=None)
        older: dict[int, Stored | None] = {}
        oldest = stored[fresh[0]] if since and fresh else None
        while since and oldest and (first := min(older, default=fresh[0])) > 0 and len(older) < _MOST_BACK:
            if max((entry.at for entry in self._pages.read(self._page_key(first), oldest).entries), default="") < since:
                break
            pages = range(max(first - _STEP, 0), first)
            found = self._documents.load_many([self._page_key(page) for page in pages])
            older |= {page: found.get(self._page_key(page)) for page in pages}
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
            key = head_key(self._name, self._lane)
            self._documents.save(key, batch.head.model_dump_json().encode(), stored.etag if stored else None)

    def _page(self, number: int, found: Stored | None) -> Page:
        """Return a page that may be changed."""
        entries = self._pages.read(self._page_key(number), found).entries if found else []
        return Page.model_construct(entries=[*entries])

    def _page_key(self, page: int) -> str:
        return page_key(self._name, self._lane, page)


class _Batch:
    """Applies puts to what was read; pure."""

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
        self.head.last = max([self.head.last, *(number for number, found in stored.items() if found)])
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
        # Counted anew at each touch: a crash between page and head is mended by the repeated put.
        count = sum(kept.open for kept in page.entries)
        self.head.open.pop(number, None)
        if count:
            self.head.open[number] = count
        return EntryLocation(shard=self.shard, page=number)

    def _blank(self, number: int, position: int | None) -> None:
        if position is not None:
            entries = self.pages[number].entries
            # The line stays, as cursors count lines.
            entries[position] = Entry(id="", at=entries[position].at)
            self.dirty.add(number)

    def _count_closed(self, status: str) -> None:
        recent = {at: n for at, n in self.head.closed.get(status, {}).items() if at > self.now - _CLOSED_SECONDS}
        self.head.closed[status] = recent | {self.now: recent.get(self.now, 0) + 1}

    def _number_for(self, entry: Entry) -> int:
        for number in sorted(self.pages, reverse=True):
            if self.pages[number].find(entry.id) is not None:
                return number  # appended before, by a try whose caller never heard of it
        while len(self.pages[self.head.last].entries) >= PAGE_SIZE:
            self.head.last += 1
        return self.head.last
