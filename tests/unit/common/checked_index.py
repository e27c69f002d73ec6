"""An index beside a dictionary that says what must be in it."""

from collections.abc import Sequence

from services.common.clock import rfc3339
from services.common.records import Entry, EntryLocation
from services.common.storage.index import Index
from services.common.storage.index_reader import IndexReader
from tests.fakes import FakeClock, FakeDocuments


class CountingDocuments(FakeDocuments):
    """Counts the keys that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.keys_read = 0

    def load_many(self, keys: Sequence[str]):  # type: ignore[no-untyped-def]
        self.keys_read += len(keys)
        return super().load_many(keys)


class CheckedIndex:
    """An index, its reader, and a dictionary that says what must be in it."""

    def __init__(self) -> None:
        self.documents, self.clock = CountingDocuments(), FakeClock()
        self.index = Index(self.documents, "i", self.clock)
        self.reader = IndexReader(self.documents, "i")
        self.expected: dict[str, Entry] = {}
        self.locations: dict[str, EntryLocation] = {}

    def restarted(self) -> Index:
        return Index(self.documents, "i", self.clock)

    def add(self, count: int = 1, is_open: bool = True) -> None:
        for _ in range(count):
            self.clock.advance(0.001)
            key = f"e{len(self.expected)}"
            self.put(Entry(id=key, at=rfc3339(self.clock()), open=is_open, data={"status": "new"}))

    def put(self, entry: Entry) -> None:
        self.locations[entry.id] = self.index.put(entry, self.locations.get(entry.id))
        self.expected[entry.id] = entry

    def close(self, key: str, status: str = "done") -> None:
        now = self.expected[key]
        self.put(now.model_copy(update={"rev": now.rev + 1, "open": False, "data": {"status": status}}))

    def all(self, limit: int = 100, **kwargs: object) -> list[Entry]:
        """Read everything, page by page."""
        found, cursor = [], None
        while True:
            page = self.reader.read(limit, cursor, **kwargs)
            assert len(page.entries) <= limit
            found += page.entries
            if (cursor := page.cursor) is None:
                return found

    def check(self) -> None:
        expected = sorted(self.expected.values(), key=lambda entry: entry.at, reverse=True)
        assert [(e.id, e.rev, e.data) for e in self.all()] == [(e.id, e.rev, e.data) for e in expected]
        opened = [entry.id for entry in expected if entry.open]
        assert [entry.id for entry in self.all(only_open=True)] == opened
        assert self.reader.open_count() == len(opened)
        assert {entry.id: entry.entry_location for entry in self.all()} == self.locations
