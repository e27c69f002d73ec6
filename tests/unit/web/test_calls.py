"""Calls side by side, and facts that are read once."""

import threading
from contextvars import ContextVar

import pytest

from services.common.dapr.sidecar import RefusedError, TransientError
from services.web.clients.parallel_calls import Facts, SideBySide

WHO: ContextVar[str] = ContextVar("who", default="nobody")


def test_calls_are_made_at_the_same_time_and_answered_in_order() -> None:
    together = threading.Barrier(8, timeout=5)

    def call(number: int) -> int:
        together.wait()
        return number * 10

    assert [one.value for one in SideBySide().each(call, range(8))] == [number * 10 for number in range(8)]


def test_a_page_whose_calls_hang_does_not_hold_the_others() -> None:
    calls, hanging, let_go = SideBySide(), threading.Barrier(9, timeout=5), threading.Event()

    def hang(_number: int) -> None:
        hanging.wait()
        let_go.wait(5)

    page = threading.Thread(target=calls.each, args=(hang, range(8)))
    page.start()
    hanging.wait()
    assert [one.value for one in calls.each(str, range(20))] == [str(number) for number in range(20)]
    let_go.set()
    page.join(5)


def test_of_one_page_never_more_than_eight_are_under_way() -> None:
    guard, under_way, most = threading.Lock(), 0, 0
    full = threading.Event()

    def call(_number: int) -> None:
        nonlocal under_way, most
        with guard:
            under_way += 1
            most = max(most, under_way)
            if under_way == 8:
                full.set()
        full.wait(5)
        with guard:
            under_way -= 1

    SideBySide().each(call, range(30))
    assert most == 8


def test_a_call_that_fails_leaves_the_others_alone() -> None:
    def call(name: str) -> str:
        if name == "refused":
            raise RefusedError("the service", 409, {"code": "notAllowed", "detail": "too late"})
        if name == "away":
            raise TransientError("no answer")
        return name

    fine, refused, away = SideBySide().each(call, ["fine", "refused", "away"])
    assert (fine.value, fine.problem) == ("fine", None)
    assert refused.problem is not None
    assert away.problem is not None
    assert (refused.problem.status, refused.problem.detail) == (409, "too late")
    assert away.problem.status == 503


def test_a_mistake_of_our_own_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        SideBySide().each(lambda number: 1 / number, [1, 0])


def test_the_trace_goes_along() -> None:
    token = WHO.set("me")
    try:
        assert [one.value for one in SideBySide().each(lambda _: WHO.get(), [1, 2])] == ["me", "me"]
    finally:
        WHO.reset(token)


def test_what_stays_is_read_once_and_what_may_change_each_time() -> None:
    asked: list[str] = []

    def read(key: str) -> str:
        asked.append(key)
        return f"{key}!"

    facts = Facts(SideBySide(), read, stays=lambda fact: fact.startswith("stays"))
    for _ in range(3):
        assert facts.of(["stays", "moves", "stays"]) == {"stays": "stays!", "moves": "moves!"}
    assert (asked.count("stays"), asked.count("moves")) == (1, 3)


def test_what_cannot_be_read_is_left_out_and_asked_for_again() -> None:
    answers = iter([TransientError("away"), "there"])

    def read(_key: str) -> str:
        answer = next(answers)
        if isinstance(answer, TransientError):
            raise answer
        return answer

    facts = Facts(SideBySide(), read, stays=lambda _: True)
    assert facts.of(["a"]) == {}
    assert facts.of(["a"]) == {"a": "there"}
