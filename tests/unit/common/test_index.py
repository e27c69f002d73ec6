"""The index against a simple model: whatever happens, each entry is there once, newest first, at a flat cost."""

import random
import traceback
from concurrent.futures import ThreadPoolExecutor
from zlib import crc32

import pytest

from services.common.clock import rfc3339
from services.common.dapr.sidecar import TransientError
from services.common.encryption.encryptor import UnreadableError
from services.common.records import BadCursorError, Entry, EntryLocation
from services.common.storage import index as module
from services.common.storage.documents import ConflictError
from services.common.storage.index import _LOOK_BACK, LONGEST_PAGE, PAGE_SIZE, SHARDS
from tests.unit.common.shelf import Shelf


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_an_empty_index_has_nothing_and_no_cursor(shelf: Shelf) -> None:
    assert shelf.reader.read(10) == shelf.reader.read(10, only_open=True)
    assert shelf.reader.read(10).cursor is None
    assert (shelf.reader.open_count(), shelf.reader.closed_since("done", 0)) == (0, 0)
    assert shelf.reader.follow(shelf.reader.end()).entries == []


@pytest.mark.parametrize("part", ["i/0", "i/0/0"])
def test_a_part_that_holds_something_else_is_unreadable_and_told_without_what_it_holds(shelf: Shelf, part: str) -> None:
    shelf.add(40)
    shelf.documents.kept[part] = (b'{"last": "Rosalind Quimby", "entries": "Rosalind Quimby"}', 1)
    for use in (lambda: shelf.reader.read(100), lambda: shelf.reader.follow(shelf.reader.end()), lambda: shelf.add(8)):
        with pytest.raises(UnreadableError, match="index") as raised:
            use()
        assert "Quimby" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("seed", range(5))
def test_random_operations_leave_what_a_dictionary_would_hold(shelf: Shelf, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(600):
        match chance.randrange(5):
            case 0 | 1:
                shelf.add(chance.randrange(5), is_open=chance.random() < 0.9)
            case 2 | 3 if shelf.model:
                shelf.close(chance.choice(list(shelf.model)))
            case 4:
                shelf.index = shelf.restarted()
    shelf.check()


def test_thousands_of_entries_are_read_in_pages_of_any_size(shelf: Shelf) -> None:
    shelf.add(3000)
    for key in list(shelf.model)[:2990]:
        shelf.close(key)
    shelf.check()
    ids = [entry.id for entry in shelf.all(1000)]
    for limit in (7, 50, 51, 999):
        assert [entry.id for entry in shelf.all(limit)] == ids


@pytest.mark.parametrize("limit", [1, 20, 100])
def test_what_is_read_does_not_grow_with_what_is_stored(limit: int) -> None:
    costs = []
    for size in (1000, 4000):
        shelf = Shelf()
        shelf.add(size)
        for key in list(shelf.model)[:-10]:
            shelf.close(key)
        before = shelf.documents.keys_read
        shelf.reader.read(limit)
        shelf.reader.read(limit, only_open=True)
        shelf.reader.open_count()
        shelf.reader.closed_since("done", 0)
        shelf.reader.follow(shelf.reader.end())
        shelf.add(20)
        costs.append(shelf.documents.keys_read - before)
    assert costs[1] <= costs[0] * 1.3 + 5


def test_a_restarted_writer_finds_the_end_at_a_flat_cost() -> None:
    costs = []
    for size in (1000, 4000):
        shelf = Shelf()
        shelf.add(size)
        writer, before = shelf.restarted(), shelf.documents.keys_read
        writer.put(Entry(id="late", at="2027"))
        costs.append(shelf.documents.keys_read - before)
    assert costs[1] <= costs[0] + 2


def test_an_older_revision_changes_nothing(shelf: Shelf) -> None:
    shelf.add()
    old = shelf.model["e0"]
    shelf.close("e0")
    writes = shelf.documents.writes
    shelf.index.put(old, shelf.places["e0"])
    shelf.index.put(shelf.model["e0"], shelf.places["e0"])
    assert shelf.documents.writes == writes
    shelf.check()


@pytest.mark.parametrize("crashed", ["page", "head"])
@pytest.mark.parametrize("same_process", [True, False])
@pytest.mark.parametrize("size", [0, 10, PAGE_SIZE * SHARDS])
def test_a_put_that_crashed_between_its_writes_may_be_repeated(crashed: str, same_process: bool, size: int) -> None:
    shelf = Shelf()
    shelf.add(size)
    key_parts = 3 if crashed == "page" else 2
    entry = Entry(id="torn", at=rfc3339(shelf.clock()), open=True)
    shelf.documents.fail_writes_of = lambda key: len(key.split("/")) == key_parts
    try:
        shelf.index.put(entry)
    except TransientError:
        shelf.documents.fail_writes_of = lambda _key: False
    else:
        return  # this put needed no such write
    if not same_process:
        shelf.index = shelf.restarted()
    shelf.clock.advance(0.001)
    shelf.put(entry.model_copy(update={"at": rfc3339(shelf.clock())}))
    found = shelf.all()
    assert [one.id for one in found].count("torn") == 1
    assert shelf.reader.open_count() == size + 1


def test_pages_that_were_longer_before_are_read_whole(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(module, "PAGE_SIZE", LONGEST_PAGE)
        shelf.add(3 * SHARDS * LONGEST_PAGE)
    shelf.check()
    shelf.add(SHARDS * LONGEST_PAGE)
    for key in list(shelf.model)[::7]:
        shelf.close(key)
    shelf.check()


def test_a_put_that_crashed_is_found_on_the_page_before_when_others_have_gone_on(shelf: Shelf) -> None:
    neighbours = iter([f"n{n}" for n in range(2000) if crc32(f"n{n}".encode()) % SHARDS == crc32(b"torn") % SHARDS])
    for _ in range(PAGE_SIZE - 1):
        shelf.put(Entry(id=next(neighbours), at="2026"))
    shelf.documents.fail_writes_of = lambda key: len(key.split("/")) == 2
    shelf.restarted().put(Entry(id="torn", at="2027"))  # needs no head: the page is written, the answer lost
    shelf.documents.fail_writes_of = lambda _key: False
    for _ in range(5):
        shelf.put(Entry(id=next(neighbours), at="2028"))
    assert shelf.index.put(Entry(id="torn", at="2027")).page == 0
    assert [entry.id for entry in shelf.all()].count("torn") == 1


def test_a_put_repeated_long_after_its_first_try_is_found_by_its_time(shelf: Shelf) -> None:
    first, between = "2026-11-21T08:00:00.000Z", "2026-11-21T08:00:30.000Z"
    place = shelf.index.put(Entry(id="again", at=first))
    others = [f"x{n}" for n in range(40 * PAGE_SIZE) if crc32(f"x{n}".encode()) % SHARDS == place.shard]
    for other in others:
        shelf.index.put(Entry(id=other, at=between))
    assert len(others) > 5 * PAGE_SIZE
    late = Entry(id="again", at="2026-11-21T08:01:00.000Z")
    assert shelf.restarted().put(late, since="2026-11-21T07:59:59.000Z") == place
    assert shelf.index.put(late, since="2026-11-21T07:59:59.000Z") == place


def test_a_put_reads_no_more_when_nothing_has_come_since(shelf: Shelf) -> None:
    shelf.add(20 * PAGE_SIZE)
    before = shelf.documents.keys_read
    shelf.index.put(Entry(id="new", at="2099-01-01T00:00:00.000Z"), since="2098-12-31T00:00:00.000Z")
    assert shelf.documents.keys_read - before <= 1 + _LOOK_BACK + 2


def test_a_close_that_crashed_between_its_writes_is_finished_by_a_repeat(shelf: Shelf) -> None:
    shelf.add(20)
    shelf.documents.fail_writes_of = lambda key: len(key.split("/")) == 2
    with pytest.raises(TransientError):
        shelf.close("e7")
    shelf.documents.fail_writes_of = lambda _key: False
    shelf.close("e7")
    shelf.check()


def test_several_processes_at_once_lose_nothing(shelf: Shelf) -> None:
    writers = [shelf.restarted() for _ in range(4)]

    def write(number: int) -> tuple[str, EntryLocation]:
        entry = Entry(id=f"t{number}", at=rfc3339(shelf.clock()), open=True)
        for _ in range(50):
            try:
                place = writers[number % 4].put(entry)
                writers[(number + 1) % 4].put(entry.model_copy(update={"rev": 1, "open": number % 2 == 0}), place)
            except TransientError:
                continue
            return entry.id, place
        raise AssertionError("never written")

    with ThreadPoolExecutor(12) as pool:
        places = dict(pool.map(write, range(800)))
    found = shelf.all()
    assert sorted(entry.id for entry in found) == sorted(places)
    assert {entry.id: entry.entry_location for entry in found} == places
    assert shelf.reader.open_count() == 400


def test_a_reader_with_a_cursor_sees_the_rest_once_while_the_index_grows(shelf: Shelf) -> None:
    shelf.add(500)
    expected = [entry.id for entry in shelf.all()]
    seen, cursor = [], None
    while True:
        page = shelf.reader.read(30, cursor)
        seen += [entry.id for entry in page.entries]
        shelf.add(40)
        if (cursor := page.cursor) is None:
            break
    assert seen == expected


def test_following_sees_everything_that_is_added_once(shelf: Shelf) -> None:
    cursor, seen = shelf.reader.end(), []
    for count in (1, 0, 30, 7, 200, 1):
        shelf.add(count)
        page = shelf.reader.follow(cursor)
        assert len(page.cursors) == len(page.entries)
        seen += [entry.id for entry in page.entries]
        cursor = page.cursor
    assert sorted(seen) == sorted(shelf.model)


def test_following_may_stop_behind_any_entry(shelf: Shelf) -> None:
    start = shelf.reader.end()
    shelf.add(150)
    page = shelf.reader.follow(start)
    for position in (0, 1, 70, 149):
        rest = shelf.reader.follow(page.cursors[position])
        assert {entry.id for entry in rest.entries} == {entry.id for entry in page.entries[position + 1 :]}


def test_following_loses_nothing_when_clocks_disagree(shelf: Shelf) -> None:
    start = shelf.reader.end()
    for number in range(60):
        shelf.put(Entry(id=f"c{number}", at=f"{9999 - number}"))
    page = shelf.reader.follow(start)
    for position in range(60):
        rest = shelf.reader.follow(page.cursors[position])
        assert {entry.id for entry in rest.entries} == {entry.id for entry in page.entries[position + 1 :]}


def test_a_cursor_ahead_of_an_emptied_index_is_refused(shelf: Shelf) -> None:
    shelf.add(PAGE_SIZE * SHARDS * 2)
    cursor = shelf.reader.end()
    shelf.documents.kept.clear()
    with pytest.raises(BadCursorError):
        shelf.reader.follow(cursor)


@pytest.mark.parametrize("cursor", ["x", "bnVsbA", "W10", "WzFd", "W1tdLFtdLFtdLFtdXQ", "WzEsMiwzLDRd", "e30", "é"])
def test_what_is_no_cursor_is_refused(shelf: Shelf, cursor: str) -> None:
    with pytest.raises(BadCursorError):
        shelf.reader.read(10, cursor)


def test_a_search_without_matches_ends_after_some_pages_and_goes_on_with_its_cursor(shelf: Shelf) -> None:
    shelf.add(4000)
    shelf.reader.read(10)
    before = shelf.documents.keys_read
    page = shelf.reader.read(10, match=lambda entry: entry.id == "e0")
    assert shelf.documents.keys_read - before < 140
    assert page.cursor is not None
    assert [entry.id for entry in shelf.all(10, match=lambda entry: entry.id == "e0")] == ["e0"]


def test_closings_are_counted_for_a_minute(shelf: Shelf) -> None:
    shelf.add(5)
    shelf.close("e0")
    shelf.close("e1", "other")
    shelf.clock.advance(50)
    shelf.close("e2")
    second = int(shelf.clock().timestamp())
    assert shelf.reader.closed_since("done", second - 60) == 2
    assert shelf.reader.closed_since("done", second - 30) == 1
    shelf.clock.advance(61)
    for key in ("e3", "e4"):
        shelf.close(key)
    assert shelf.reader.closed_since("done", int(shelf.clock().timestamp()) - 30) == 2


def test_a_writer_that_is_always_too_late_gives_up(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def conflict(key: str, *_args: object) -> None:
        raise ConflictError(key)

    monkeypatch.setattr(shelf.documents, "save", conflict)
    with pytest.raises(TransientError):
        shelf.add()
