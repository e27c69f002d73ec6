from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from services.common.clock import rfc3339
from services.common.dapr.sidecar import TransientError
from services.common.records import Effect, MarkedDocument, OperationMarker
from services.common.storage.documents import Records, Stored
from services.common.storage.exactly_once import ExactlyOnceUpdater
from tests.fakes import FakeClock, FakeDocuments


class Counter(MarkedDocument):
    value: int = 0


def add(counter: Counter, amount: int) -> tuple[Counter, Effect]:
    return counter.model_copy(update={"value": counter.value + amount}), {"added": amount}


class Process:
    """One process: its own memory, shared documents, and records that are a set of done keys."""

    def __init__(self, documents: FakeDocuments, clock: FakeClock, done: set[str]) -> None:
        self.records = Records(documents, "counter", Counter)
        self.asked: list[str] = []
        self.done = done
        self.updater = ExactlyOnceUpdater(self.records, self._settled, lambda _id: Counter(), clock)

    def add(self, key: str | None, amount: int = 1) -> Effect | None:
        return self.updater.apply("c", key, partial(add, amount=amount))

    def settle(self, key: str) -> None:
        self.done.add(key)
        self.updater.forget("c", key)

    def counter(self) -> Counter:
        return self.records.get("c") or Counter()

    def _settled(self, keys: Sequence[str]) -> set[str]:
        self.asked += keys
        return self.done & set(keys)


@pytest.fixture
def documents() -> FakeDocuments:
    return FakeDocuments()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def process(documents: FakeDocuments, clock: FakeClock) -> Process:
    return Process(documents, clock, set())


def test_a_repeated_key_counts_once_and_returns_the_effect(process: Process) -> None:
    assert process.add("k", 5) == {"added": 5}
    assert process.add("k", 7) == {"added": 5}
    assert process.counter().value == 5


def test_without_a_key_every_call_counts(process: Process) -> None:
    process.add(None)
    process.add(None)
    assert process.counter().value == 2
    assert process.counter().marks == {}


def test_the_next_write_removes_a_settled_marker_and_its_key_still_counts_once(process: Process) -> None:
    process.add("k")
    process.settle("k")
    assert "k" in process.counter().marks
    process.add(None)
    assert process.counter().marks == {}
    assert process.add("k") is None
    assert process.counter().value == 2


def test_a_duplicate_of_a_settled_key_writes_nothing(process: Process, documents: FakeDocuments) -> None:
    process.add("k")
    process.settle("k")
    process.add(None)
    writes = documents.writes
    process.add("k")
    assert documents.writes == writes


def test_the_number_of_markers_is_bounded(process: Process) -> None:
    for number in range(500):
        process.add(f"k{number}")
        process.settle(f"k{number}")
        assert len(process.counter().marks) <= 2
    assert process.counter().value == 500


def test_after_a_restart_old_markers_are_looked_up_and_settled_ones_removed(
    process: Process, documents: FakeDocuments, clock: FakeClock
) -> None:
    process.add("settled")
    process.add("under way")
    process.settle("settled")
    restarted = Process(documents, clock, process.done)
    restarted.add(None)
    assert set(restarted.counter().marks) == {"settled", "under way"}
    clock.advance(61)
    restarted.add(None)
    assert set(restarted.counter().marks) == {"under way"}


def test_a_pending_operation_is_not_looked_up_at_every_write(
    process: Process, documents: FakeDocuments, clock: FakeClock
) -> None:
    process.add("under way")
    clock.advance(61)
    process.add(None)
    process.add(None)
    process.add(None)
    assert process.asked == ["under way", "under way"]  # when it was new, and once when it was old


def test_abandoned_markers_do_not_block_the_removal_of_others(
    process: Process, documents: FakeDocuments, clock: FakeClock
) -> None:
    old = rfc3339(datetime(2020, 1, 1, tzinfo=UTC))
    keys = [f"abandoned{number}" for number in range(50)] + [f"settled{number}" for number in range(50)]
    marks = {key: OperationMarker(at=old) for key in keys}
    process.records.create("c", Counter(marks=marks))
    process.done.update(key for key in keys if key.startswith("settled"))
    for _ in range(6):
        process.add(None)
    assert len(process.counter().marks) == 50


def test_a_duplicate_in_another_process_counts_once_at_any_interleaving(clock: FakeClock) -> None:
    for reads_before in range(4):
        documents = Interleaved(reads_before)
        done: set[str] = set()
        first, second = Process(documents, clock, done), Process(documents, clock, done)

        def whole_operation(process: Process = second) -> None:
            process.add("k")
            process.settle("k")
            process.add(None, 0)  # takes the mark away

        documents.intruder = whole_operation
        first.add("k")
        assert first.counter().value == 1, f"after {reads_before} reads"


class Interleaved(FakeDocuments):
    """Lets another process do everything it wants, before a read or write of the first process."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.intruder: Callable[[], None] = lambda: None

    def load_many(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        self._step()
        return super().load_many(keys)

    def save(self, key: str, data: bytes, etag: str | None, ttl: int | None = None) -> None:
        self._step()
        super().save(key, data, etag, ttl)

    def _step(self) -> None:
        intruder, self.steps = self.intruder if self.steps == 0 else (lambda: None), self.steps - 1
        intruder()


def test_threads_at_once_lose_nothing_and_share_writes(process: Process, documents: FakeDocuments) -> None:
    def operate(number: int) -> None:
        process.add(f"k{number % 200}")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(operate, range(400)))
    assert process.counter().value == 200


def test_a_failed_write_may_be_repeated(process: Process, documents: FakeDocuments) -> None:
    documents.fail_writes_of = lambda _key: True
    with pytest.raises(TransientError):
        process.add("k")
    documents.fail_writes_of = lambda _key: False
    process.add("k")
    assert process.counter().value == 1


def test_idle_documents_use_no_memory(process: Process) -> None:
    process.add("k")
    assert process.updater._writers == {}


def test_a_marker_has_its_creation_time(process: Process, clock: FakeClock) -> None:
    clock.advance(timedelta(hours=1).total_seconds())
    process.add("k")
    assert process.counter().marks["k"].at == rfc3339(clock())
