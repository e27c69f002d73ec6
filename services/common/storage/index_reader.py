"""The reading side of an index: pages of entries, newest first, and entries added since a cursor."""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from services.common.records import BadCursorError, Entry, EntryLocation, Slice
from services.common.storage.documents import Decoder, Documents, Stored
from services.common.storage.index import LONGEST_PAGE, PAGE_SIZE, SHARDS, WHAT, Page, ShardHead, head_key, page_key

_EXTRA_PAGES = 100
"""How many pages beyond the size of its result one call may search for matches."""

_PAGES_DECODED = 100
"""How many parsed pages are cached: most pages of a list do not change between two calls."""


@dataclass
class _Shard:
    """The reading position in a shard: `pages` are unread, `buffer` is read and not returned yet (oldest first)."""

    number: int
    pages: Sequence[int]
    skip: int | None = None  # of the first page, only this many entries count
    page: int = -1
    buffer: list[Entry] = field(default_factory=list)
    fetched: dict[int, list[Entry]] = field(default_factory=dict)

    def advance(self) -> None:
        """Move to the next fetched page that is not empty."""
        while not self.buffer and self.pages and self.pages[0] in self.fetched:
            self.page, self.pages = self.pages[0], self.pages[1:]
            self.buffer = self.fetched.pop(self.page)[: self.skip]
            self.skip = None

    def position(self) -> list[int] | None:
        if self.buffer:
            return [self.page, len(self.buffer)]
        if self.pages:
            return [self.pages[0], self.skip if self.skip is not None else LONGEST_PAGE]
        return None


@dataclass(frozen=True)
class _Added:
    """An entry that `follow` returns, its sort key, and the position after it in its shard."""

    order: str
    shard: int
    position: list[int]
    entry: Entry


class IndexReader:
    """Reads an index; the cost of a call depends on the size of its result, not on the size of the index."""

    def __init__(self, documents: Documents, name: str) -> None:
        self._documents, self._name = documents, name
        self._decoder = Decoder(Page, _PAGES_DECODED, WHAT)

    def read(
        self,
        limit: int,
        cursor: str | None = None,
        only_open: bool = False,
        match: Callable[[Entry], bool] = lambda _entry: True,
    ) -> Slice:
        """Return up to `limit` matching entries, newest first.

        A call searches a bounded number of pages. So with few matches the result may be short or even empty and still
        have a cursor. Raises BadCursorError and TransientError.
        """
        shards = self._start(cursor, only_open)
        budget = limit // PAGE_SIZE + SHARDS + _EXTRA_PAGES
        entries: list[Entry] = []
        while len(entries) < limit:
            for shard in shards:
                shard.advance()
            while budget > 0 and any(shard.pages and not shard.buffer for shard in shards):
                budget -= self._fill(shards, limit - len(entries), budget)
            ready = [shard for shard in shards if shard.buffer]
            if not ready or any(shard.pages and not shard.buffer for shard in shards):
                break
            newest = max(ready, key=lambda shard: shard.buffer[-1].at)
            entry = newest.buffer.pop()
            if entry.id and (entry.open or not only_open) and match(entry):
                entries.append(entry)
        positions_by_shard = {shard.number: shard.position() for shard in shards}
        positions = [positions_by_shard.get(shard) for shard in range(SHARDS)]
        return Slice(entries, _encode(positions) if any(positions) else None)

    def open_pages(self, limit: int) -> Iterator[list[Entry]]:
        """Iterate over all open entries, newest first, in pages of `limit`. Raises TransientError."""
        cursor: str | None = None
        while True:
            page = self.read(limit, cursor, only_open=True)
            yield page.entries
            cursor = page.cursor
            if cursor is None:
                return

    def open_count(self) -> int:
        """Return the number of open entries. Raises TransientError."""
        return sum(sum(head.open.values()) for head in self._heads().values())

    def closed_since(self, status: str, second: int) -> int:
        """Return the number of entries closed with `status` after the Unix second, within the last minute."""
        counts = (head.closed.get(status, {}) for head in self._heads().values())
        return sum(n for count in counts for at, n in count.items() if at > second)

    def end(self) -> str:
        """Return the cursor for `follow` after the newest entry."""
        return _encode([[*self._end_of(shard, head)] for shard, head in self._heads_of_all()])

    def follow(self, cursor: str) -> Slice:
        """Return the entries added after `cursor`, oldest first, and the cursor after them.

        Raises TransientError, and BadCursorError for an invalid cursor or one beyond the end (the store was emptied).
        """
        positions = [position or [0, 0] for position in _decode(cursor)]
        heads = self._heads()
        if any(page > heads.get(shard, ShardHead()).last for shard, (page, _) in enumerate(positions)):
            raise BadCursorError
        wanted = {
            shard: range(positions[shard][0], min(head.last, positions[shard][0] + _EXTRA_PAGES) + 1)
            for shard, head in heads.items()
        }
        pages = self._pages([(shard, number) for shard, numbers in wanted.items() for number in numbers])
        added: list[_Added] = []
        reached = list(positions)
        for shard, numbers in wanted.items():
            latest = ""
            for number in numbers:
                entries = pages.get((shard, number), [])
                seen = positions[shard][1] if number == positions[shard][0] else 0
                for count, entry in enumerate(entries[seen:], seen + 1):
                    # The order within a shard is kept, or a cursor between two of its entries would skip one.
                    latest = max(latest, entry.at)
                    added.append(_Added(latest, shard, [number, count], entry))
                reached[shard] = [number, max(seen, len(entries))]
        added.sort(key=lambda item: item.order)
        return Slice([item.entry for item in added], _encode([*reached]), _cursors(positions, added))

    def _start(self, cursor: str | None, only_open: bool) -> list[_Shard]:
        resumed = _decode(cursor) if cursor else None
        shards = []
        for number, head in self._heads().items():
            position = resumed[number] if resumed else [head.last, LONGEST_PAGE]
            if position is None:
                continue
            page, skip = position
            pages = sorted((number for number in head.open if number <= page), reverse=True)
            shard = _Shard(number, pages if only_open else range(min(page, head.last), -1, -1))
            shard.skip = skip if shard.pages and shard.pages[0] == page else None
            shards.append(shard)
        return shards

    def _fill(self, shards: list[_Shard], missing: int, budget: int) -> int:
        """Read the next pages of every shard with an empty buffer; return the number of pages read."""
        empty = [shard for shard in shards if shard.pages and not shard.buffer]
        if not empty or budget <= 0:
            return 0
        ahead = max(1, min(missing // PAGE_SIZE, budget) // len(empty))
        wanted = [(shard.number, page) for shard in empty for page in shard.pages[:ahead]]
        pages = self._pages(wanted)
        for shard in empty:
            shard.fetched = {page: entries for (number, page), entries in pages.items() if number == shard.number}
            shard.advance()
        return len(wanted)

    def _pages(self, wanted: list[tuple[int, int]]) -> dict[tuple[int, int], list[Entry]]:
        documents = self._documents.load_many([page_key(self._name, *page) for page in wanted])
        stored = {page: documents.get(page_key(self._name, *page)) for page in wanted}
        return {page: self._entries(page, document) if document else [] for page, document in stored.items()}

    def _entries(self, page: tuple[int, int], stored: Stored) -> list[Entry]:
        entries = self._decoder.read(page_key(self._name, *page), stored).entries
        if entries and entries[-1].entry_location is None:
            for entry in entries:
                entry.entry_location = EntryLocation(shard=page[0], page=page[1])
        return entries

    def _heads_of_all(self) -> list[tuple[int, ShardHead]]:
        heads = self._heads()
        return [(shard, heads.get(shard, ShardHead())) for shard in range(SHARDS)]

    def _heads(self) -> dict[int, ShardHead]:
        documents = self._documents.load_many([head_key(self._name, shard) for shard in range(SHARDS)])
        stored = {shard: documents.get(head_key(self._name, shard)) for shard in range(SHARDS)}
        return {shard: document.read_as(ShardHead, WHAT) for shard, document in stored.items() if document}

    def _end_of(self, shard: int, head: ShardHead) -> tuple[int, int]:
        return head.last, len(self._pages([(shard, head.last)])[shard, head.last])


def _cursors(start: list[list[int]], added: list[_Added]) -> list[str]:
    positions, cursors = list(start), []
    for item in added:
        positions[item.shard] = item.position
        cursors.append(_encode([*positions]))
    return cursors


def _encode(positions: list[list[int] | None]) -> str:
    return base64.urlsafe_b64encode(json.dumps(positions, separators=(",", ":")).encode()).decode().rstrip("=")


def check_cursor(cursor: str) -> None:
    """Raise BadCursorError for text that is not a cursor of an index."""
    _decode(cursor)


def _decode(cursor: str) -> list[list[int] | None]:
    try:
        positions = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(positions, list) or len(positions) != SHARDS:
            raise BadCursorError
        return [None if position is None else _position(position) for position in positions]
    except (ValueError, TypeError, RecursionError) as error:
        raise BadCursorError from error


def _position(value: object) -> list[int]:
    match value:
        case [int() as page, int() as count] if 0 <= page < 2**53 and 0 <= count <= LONGEST_PAGE:
            return [page, count]
    raise BadCursorError
