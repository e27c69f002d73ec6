"""Each charge counts once after crashes, repeated requests and concurrent writes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.unit.fraud.conftest import Fraud

Step = Callable[[Fraud], object]


@pytest.fixture
def counted(fraud: Fraud) -> Fraud:
    fraud.post("/limit", limit=1000)
    fraud.declined(10, "earlier")
    return fraud


def check(one: Fraud) -> object:
    return one.check(100, "c1").status_code


def too_much(one: Fraud) -> object:
    return one.check(5000, "c1").status_code


def reverse(one: Fraud) -> object:
    return one.reverse("c1").status_code


def reset(one: Fraud) -> object:
    return one.post("/reset").status_code


def clone(source: Fraud) -> Fraud:
    fresh = Fraud(type(source.documents)(), source.clock)
    fresh.documents.kept = dict(source.documents.kept)
    return fresh


@pytest.mark.parametrize("fault", ["crash_at", "lose_response_at"])
@pytest.mark.parametrize("restart", [True, False])
@pytest.mark.parametrize(("before", "step", "end"), [([], check, 110), ([], too_much, 10), ([check], reverse, 10)])
def test_a_request_is_completed_by_its_repeat_after_a_fault_at_any_write(
    counted: Fraud, fault: str, restart: bool, before: list[Step], step: Step, end: int
) -> None:
    for earlier in before:
        earlier(counted)
    write = 0
    while True:
        one = clone(counted)
        setattr(one.documents, fault, write)
        if step(one) == 200:
            break
        write += 1
        one.documents.reset()
        one = one.restarted() if restart else one
        assert [step(one), step(one)] == [200, 200]
        assert one.tally() == end
    assert write == 3


@pytest.mark.parametrize("fault", ["crash_at", "lose_response_at"])
def test_a_reversal_undoes_what_a_check_counted_before_it_crashed(counted: Fraud, fault: str) -> None:
    for write in range(3):
        one = clone(counted)
        setattr(one.documents, fault, write)
        assert check(one) == 503
        one.documents.reset()
        one = one.restarted()
        assert reverse(one) == 200
        assert one.tally() == 10
        assert one.declined(100, "c1") is True
        assert one.tally() == 10


def test_a_check_that_crashed_before_a_reset_is_not_counted_after_it(counted: Fraud) -> None:
    counted.documents.reset()
    counted.documents.crash_at = 2
    assert check(counted) == 503
    counted.documents.reset()
    reset(counted)
    counted.declined(7, "new")
    assert counted.declined(100, "c1") is False
    assert counted.tally() == 7
    reverse(counted)
    assert counted.tally() == 7


@pytest.mark.parametrize(
    ("before", "step", "intruders", "ends"),
    [
        ([], check, [check], {110}),
        ([], check, [reverse], {10}),
        ([], check, [check, reverse], {10}),
        ([], too_much, [too_much], {10}),
        ([check], reverse, [reverse], {10}),
        ([check], reverse, [check], {10}),
        ([], check, [reset], {0, 100}),
        ([check], reverse, [reset], {0}),
    ],
)
def test_another_process_may_write_before_any_write(
    counted: Fraud, before: list[Step], step: Step, intruders: list[Step], ends: set[int]
) -> None:
    for earlier in before:
        earlier(counted)
    write = 0
    while True:
        one = clone(counted)
        other = one.restarted()

        def intrude(other: Fraud = other) -> None:
            for concurrent_write in intruders:
                concurrent_write(other)
            other.check(0, "another")  # lets the marks of the settled ones go

        one.documents.concurrent_write, one.documents.interleave_at = intrude, write
        step(one)
        intruded = one.documents.interleave_at is None
        if not intruded:
            break
        assert one.tally() in ends, f"concurrent_write at write {write}"
        write += 1
    assert write == 3


def test_duplicates_at_the_same_time_count_once(counted: Fraud) -> None:
    processes = [counted, counted.restarted(), counted.restarted()]
    for step, end in [(check, 110), (reverse, 10)]:
        with ThreadPoolExecutor(12) as pool:
            answers = set(pool.map(lambda n, step=step: step(processes[n % 3]), range(36)))
        assert answers == {200}
        assert counted.tally() == end


def test_charges_at_the_same_time_never_pass_the_limit(counted: Fraud) -> None:
    processes = [counted, counted.restarted()]
    with ThreadPoolExecutor(16) as pool:
        declined = list(pool.map(lambda n: processes[n % 2].declined(100, f"c{n}"), range(30)))
    assert declined.count(False) == 9
    assert counted.tally() == 910
