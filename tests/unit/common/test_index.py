"""The index against a simple checked: whatever happens, each entry is there once, newest first, at a flat cost."""

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
from tests.unit.common.checked_index import CheckedIndex


@pytest.fixture
def checked() -> CheckedIndex:
    return CheckedIndex()


def test_an_empty_index_has_nothing_and_no_cursor(checked: CheckedIndex) -> None:
    assert checked.reader.read(10) == checked.reader.read(10, only_open=True)
    assert checked.reader.read(10).cursor is None
    assert (checked.reader.open_count(), checked.reader.closed_since("done", 0)) == (0, 0)
    assert checked.reader.follow(checked.reader.end()).entries == []


@pytest.mark.parametrize("part", ["i/0", "i/0/0"])
def test_an_invalid_page_or_head_is_unreadable_and_its_error_has_no_values(checked: CheckedIndex, part: str) -> None:
    checked.add(40)
    checked.documents.kept[part] = (b'{"last": "Rosalind Quimby", "entries": "Rosalind Quimby"}', 1)
    for use in (
        lambda: checked.reader.read(100),
        lambda: checked.reader.follow(checked.reader.end()),
        lambda: checked.add(8),
    ):
        with pytest.raises(UnreadableError, match="index") as raised:
            use()
        assert "Quimby" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("seed", range(5))
def test_random_operations_leave_what_a_dictionary_would_hold(checked: CheckedIndex, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(600):
        match chance.randrange(5):
            case 0 | 1:
                checked.add(chance.randrange(5), is_open=chance.random() < 0.9)
            case 2 | 3 if checked.expected:
                checked.close(chance.choice(list(checked.expected)))
            case 4:
                checked.index = checked.restarted()
    checked.check()


def test_thousands_of_entries_are_read_in_pages_of_any_size(checked: CheckedIndex) -> None:
    checked.add(3000)
    for key in list(checked.expected)[:2990]:
        checked.close(key)
    checked.check()
    ids = [entry.id for entry in checked.all(1000)]
    for limit in (7, 50, 51, 999):
        assert [entry.id for entry in checked.all(limit)] == ids


@pytest.mark.parametrize("limit", [1, 20, 100])
def test_what_is_read_does_not_grow_with_what_is_stored(limit: int) -> None:
    costs = []
    for size in (1000, 4000):
        checked = CheckedIndex()
        checked.add(size)
        for key in list(checked.expected)[:-10]:
            checked.close(key)
        before = checked.documents.keys_read
        checked.reader.read(limit)
        checked.reader.read(limit, only_open=True)
        checked.reader.open_count()
        checked.reader.closed_since("done", 0)
        checked.reader.follow(checked.reader.end())
        checked.add(20)
        costs.append(checked.documents.keys_read - before)
    assert costs[1] <= costs[0] * 1.3 + 5


def test_a_restarted_writer_finds_the_end_at_a_flat_cost() -> None:
    costs = []
    for size in (1000, 4000):
        checked = CheckedIndex()
        checked.add(size)
        writer, before = checked.restarted(), checked.documents.keys_read
        writer.put(Entry(id="late", at="2027"))
        costs.append(checked.documents.keys_read - before)
    assert costs[1] <= costs[0] + 2


def test_an_older_revision_changes_nothing(checked: CheckedIndex) -> None:
    checked.add()
    old = checked.expected["e0"]
    checked.close("e0")
    writes = checked.documents.writes
    checked.index.put(old, checked.locations["e0"])
    checked.index.put(checked.expected["e0"], checked.locations["e0"])
    assert checked.documents.writes == writes
    checked.check()


@pytest.mark.parametrize("crashed", ["page", "head"])
@pytest.mark.parametrize("same_process", [True, False])
@pytest.mark.parametrize("size", [0, 10, PAGE_SIZE * SHARDS])
def test_a_put_that_crashed_between_its_writes_may_be_repeated(crashed: str, same_process: bool, size: int) -> None:
    checked = CheckedIndex()
    checked.add(size)
    key_parts = 3 if crashed == "page" else 2
    entry = Entry(id="torn", at=rfc3339(checked.clock()), open=True)
    checked.documents.fail_writes_of = lambda key: len(key.split("/")) == key_parts
    try:
        checked.index.put(entry)
    except TransientError:
        checked.documents.fail_writes_of = lambda _key: False
    else:
        return  # this put needed no such write
    if not same_process:
        checked.index = checked.restarted()
    checked.clock.advance(0.001)
    checked.put(entry.model_copy(update={"at": rfc3339(checked.clock())}))
    found = checked.all()
    assert [one.id for one in found].count("torn") == 1
    assert checked.reader.open_count() == size + 1


def test_pages_that_were_longer_before_are_read_whole(checked: CheckedIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(module, "PAGE_SIZE", LONGEST_PAGE)
        checked.add(3 * SHARDS * LONGEST_PAGE)
    checked.check()
    checked.add(SHARDS * LONGEST_PAGE)
    for key in list(checked.expected)[::7]:
        checked.close(key)
    checked.check()


def test_a_put_that_crashed_is_found_on_the_page_before_when_others_have_gone_on(checked: CheckedIndex) -> None:
    neighbours = iter([f"n{n}" for n in range(2000) if crc32(f"n{n}".encode()) % SHARDS == crc32(b"torn") % SHARDS])
    for _ in range(PAGE_SIZE - 1):
        checked.put(Entry(id=next(neighbours), at="2026"))
    checked.documents.fail_writes_of = lambda key: len(key.split("/")) == 2
    checked.restarted().put(Entry(id="torn", at="2027"))  # needs no head: the page is written, the answer lost
    checked.documents.fail_writes_of = lambda _key: False
    for _ in range(5):
        checked.put(Entry(id=next(neighbours), at="2028"))
    assert checked.index.put(Entry(id="torn", at="2027")).page == 0
    assert [entry.id for entry in checked.all()].count("torn") == 1


def test_a_put_repeated_long_after_its_first_try_is_found_by_its_time(checked: CheckedIndex) -> None:
    first, between = "2026-11-21T08:00:00.000Z", "2026-11-21T08:00:30.000Z"
    place = checked.index.put(Entry(id="again", at=first))
    others = [f"x{n}" for n in range(40 * PAGE_SIZE) if crc32(f"x{n}".encode()) % SHARDS == place.shard]
    for other in others:
        checked.index.put(Entry(id=other, at=between))
    assert len(others) > 5 * PAGE_SIZE
    late = Entry(id="again", at="2026-11-21T08:01:00.000Z")
    assert checked.restarted().put(late, since="2026-11-21T07:59:59.000Z") == place
    assert checked.index.put(late, since="2026-11-21T07:59:59.000Z") == place


def test_a_put_reads_no_more_when_nothing_has_come_since(checked: CheckedIndex) -> None:
    checked.add(20 * PAGE_SIZE)
    before = checked.documents.keys_read
    checked.index.put(Entry(id="new", at="2099-01-01T00:00:00.000Z"), since="2098-12-31T00:00:00.000Z")
    assert checked.documents.keys_read - before <= 1 + _LOOK_BACK + 2


def test_a_close_that_crashed_between_its_writes_is_finished_by_a_repeat(checked: CheckedIndex) -> None:
    checked.add(20)
    checked.documents.fail_writes_of = lambda key: len(key.split("/")) == 2
    with pytest.raises(TransientError):
        checked.close("e7")
    checked.documents.fail_writes_of = lambda _key: False
    checked.close("e7")
    checked.check()


def test_concurrent_processes_lose_no_entry(checked: CheckedIndex) -> None:
    writers = [checked.restarted() for _ in range(4)]

    def write(number: int) -> tuple[str, EntryLocation]:
        entry = Entry(id=f"t{number}", at=rfc3339(checked.clock()), open=True)
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
    found = checked.all()
    assert sorted(entry.id for entry in found) == sorted(places)
    assert {entry.id: entry.entry_location for entry in found} == places
    assert checked.reader.open_count() == 400


def test_a_reader_with_a_cursor_sees_the_rest_once_while_the_index_grows(checked: CheckedIndex) -> None:
    checked.add(500)
    expected = [entry.id for entry in checked.all()]
    seen, cursor = [], None
    while True:
        page = checked.reader.read(30, cursor)
        seen += [entry.id for entry in page.entries]
        checked.add(40)
        if (cursor := page.cursor) is None:
            break
    assert seen == expected


def test_following_sees_everything_that_is_added_once(checked: CheckedIndex) -> None:
    cursor, seen = checked.reader.end(), []
    for count in (1, 0, 30, 7, 200, 1):
        checked.add(count)
        page = checked.reader.follow(cursor)
        assert len(page.cursors) == len(page.entries)
        seen += [entry.id for entry in page.entries]
        cursor = page.cursor
    assert sorted(seen) == sorted(checked.expected)


def test_following_may_stop_behind_any_entry(checked: CheckedIndex) -> None:
    start = checked.reader.end()
    checked.add(150)
    page = checked.reader.follow(start)
    for position in (0, 1, 70, 149):
        rest = checked.reader.follow(page.cursors[position])
        assert {entry.id for entry in rest.entries} == {entry.id for entry in page.entries[position + 1 :]}


def test_following_loses_nothing_when_clocks_disagree(checked: CheckedIndex) -> None:
    start = checked.reader.end()
    for number in range(60):
        checked.put(Entry(id=f"c{number}", at=f"{9999 - number}"))
    page = checked.reader.follow(start)
    for position in range(60):
        rest = checked.reader.follow(page.cursors[position])
        assert {entry.id for entry in rest.entries} == {entry.id for entry in page.entries[position + 1 :]}


def test_a_cursor_ahead_of_an_emptied_index_is_refused(checked: CheckedIndex) -> None:
    checked.add(PAGE_SIZE * SHARDS * 2)
    cursor = checked.reader.end()
    checked.documents.kept.clear()
    with pytest.raises(BadCursorError):
        checked.reader.follow(cursor)


@pytest.mark.parametrize("cursor", ["x", "bnVsbA", "W10", "WzFd", "W1tdLFtdLFtdLFtdXQ", "WzEsMiwzLDRd", "e30", "é"])
def test_an_invalid_cursor_is_rejected(checked: CheckedIndex, cursor: str) -> None:
    with pytest.raises(BadCursorError):
        checked.reader.read(10, cursor)


def test_a_search_without_matches_ends_after_some_pages_and_goes_on_with_its_cursor(checked: CheckedIndex) -> None:
    checked.add(4000)
    checked.reader.read(10)
    before = checked.documents.keys_read
    page = checked.reader.read(10, match=lambda entry: entry.id == "e0")
    assert checked.documents.keys_read - before < 140
    assert page.cursor is not None
    assert [entry.id for entry in checked.all(10, match=lambda entry: entry.id == "e0")] == ["e0"]


def test_closings_are_counted_for_a_minute(checked: CheckedIndex) -> None:
    checked.add(5)
    checked.close("e0")
    checked.close("e1", "other")
    checked.clock.advance(50)
    checked.close("e2")
    second = int(checked.clock().timestamp())
    assert checked.reader.closed_since("done", second - 60) == 2
    assert checked.reader.closed_since("done", second - 30) == 1
    checked.clock.advance(61)
    for key in ("e3", "e4"):
        checked.close(key)
    assert checked.reader.closed_since("done", int(checked.clock().timestamp()) - 30) == 2


def test_a_writer_that_always_conflicts_gives_up(checked: CheckedIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    def conflict(key: str, *_args: object) -> None:
        raise ConflictError(key)

    monkeypatch.setattr(checked.documents, "save", conflict)
    with pytest.raises(TransientError):
        checked.add()
