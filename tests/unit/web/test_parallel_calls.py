"""Parallel calls and cached reads."""

import threading
from contextvars import ContextVar

import pytest

from services.common.dapr.sidecar import RefusedError, TransientError
from services.web.clients.parallel_calls import CachedReader, ParallelCalls

USER: ContextVar[str] = ContextVar("user", default="none")


def test_calls_run_in_parallel_and_return_in_order() -> None:
    together = threading.Barrier(8, timeout=5)

    def call(number: int) -> int:
        together.wait()
        return number * 10

    assert [outcome.value for outcome in ParallelCalls().map(call, range(8))] == [number * 10 for number in range(8)]


def test_hanging_calls_of_one_page_do_not_block_others() -> None:
    calls, hanging, let_go = ParallelCalls(), threading.Barrier(9, timeout=5), threading.Event()

    def hang(_number: int) -> None:
        hanging.wait()
        let_go.wait(5)

    page = threading.Thread(target=calls.map, args=(hang, range(8)))
    page.start()
    hanging.wait()
    assert [outcome.value for outcome in calls.map(str, range(20))] == [str(number) for number in range(20)]
    let_go.set()
    page.join(5)


def test_at_most_eight_calls_of_a_page_are_in_flight() -> None:
    guard, in_flight, most = threading.Lock(), 0, 0
    full = threading.Event()

    def call(_number: int) -> None:
        nonlocal in_flight, most
        with guard:
            in_flight += 1
            most = max(most, in_flight)
            if in_flight == 8:
                full.set()
        full.wait(5)
        with guard:
            in_flight -= 1

    ParallelCalls().map(call, range(30))
    assert most == 8


def test_a_failed_call_does_not_affect_the_others() -> None:
    def call(name: str) -> str:
        if name == "refused":
            raise RefusedError("the service", 409, {"code": "notAllowed", "detail": "too late"})
        if name == "away":
            raise TransientError("no answer")
        return name

    fine, refused, away = ParallelCalls().map(call, ["fine", "refused", "away"])
    assert (fine.value, fine.problem) == ("fine", None)
    assert refused.problem is not None
    assert away.problem is not None
    assert (refused.problem.status, refused.problem.detail) == (409, "too late")
    assert away.problem.status == 503


def test_a_programming_error_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        ParallelCalls().map(lambda number: 1 / number, [1, 0])


def test_calls_keep_the_context() -> None:
    token = USER.set("me")
    try:
        assert [outcome.value for outcome in ParallelCalls().map(lambda _: USER.get(), [1, 2])] == ["me", "me"]
    finally:
        USER.reset(token)


def test_only_cacheable_values_are_cached() -> None:
    asked: list[str] = []

    def read(key: str) -> str:
        asked.append(key)
        return f"{key}!"

    reader = CachedReader(ParallelCalls(), read, cacheable=lambda value: value.startswith("stays"))
    for _ in range(3):
        assert reader.read(["stays", "moves", "stays"]) == {"stays": "stays!", "moves": "moves!"}
    assert (asked.count("stays"), asked.count("moves")) == (1, 3)


def test_values_that_cannot_be_read_are_omitted_and_retried() -> None:
    answers = iter([TransientError("away"), "there"])

    def read(_key: str) -> str:
        answer = next(answers)
        if isinstance(answer, TransientError):
            raise answer
        return answer

    reader = CachedReader(ParallelCalls(), read, cacheable=lambda _: True)
    assert reader.read(["a"]) == {}
    assert reader.read(["a"]) == {"a": "there"}
