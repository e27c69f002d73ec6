"""Group commit: everything is applied once, results find their callers, and errors too."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.common.storage.group_commit import GroupCommit
from services.common.storage.lru_cache import LruCache


class Ledger:
    """Applies batches; the first may be held until the test lets it go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def apply(self, numbers: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(numbers))
        self.entered.set()
        assert self.go_on.wait(5)
        if any(number < 0 for number in numbers):
            raise ValueError("no negative numbers")
        return [number * 2 for number in numbers]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


def test_a_single_operation_is_applied_at_once() -> None:
    ledger = Ledger()
    assert GroupCommit(ledger.apply).submit(21) == 42
    assert ledger.batches == [[21]]


def test_operations_that_wait_for_a_batch_form_the_next_batch() -> None:
    ledger = Ledger()
    group_commit = GroupCommit(ledger.apply)
    ledger.go_on.clear()
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(group_commit.submit, 0)
        assert ledger.entered.wait(5)
        others = [pool.submit(group_commit.submit, number) for number in range(1, 6)]
        until(lambda: len(group_commit._waiting) == 5)
        ledger.go_on.set()
        assert [one.result(5) for one in [first, *others]] == [0, 2, 4, 6, 8, 10]
    assert [sorted(batch) for batch in ledger.batches] == [[0], [1, 2, 3, 4, 5]]


def test_an_error_reaches_every_caller_of_its_batch_only() -> None:
    ledger = Ledger()
    group_commit = GroupCommit(ledger.apply)
    with pytest.raises(ValueError, match="negative"):
        group_commit.submit(-1)
    assert group_commit.submit(1) == 2


def test_too_few_results_are_an_error_and_no_caller_keeps_waiting() -> None:
    group_commit: GroupCommit[int, int] = GroupCommit(lambda _numbers: [])
    with pytest.raises(ValueError, match="shorter"):
        group_commit.submit(1)


def test_many_threads_each_get_their_own_result() -> None:
    group_commit = GroupCommit(Ledger().apply)
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(group_commit.submit, range(2000))) == [2 * number for number in range(2000)]


def test_the_least_recently_used_entry_is_evicted() -> None:
    recent = LruCache[int](size=2)
    for key, value in (("a", 1), ("b", 2)):
        assert recent.put(key, value) == value
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (1, None, 3)
