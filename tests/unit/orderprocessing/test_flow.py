"""Flows side by side."""

from collections.abc import Generator
from typing import Any

import pytest
from dapr.ext.workflow._durabletask.task import CompletableTask

from services.orderprocessing.workflows.flow import concurrently


def waits(task: Any, then: list[str], name: str) -> Generator[Any, Any, str]:
    try:
        answer = yield task
    except ValueError:
        then.append(f"{name} failed")
        raise
    then.append(name)
    return f"{name}: {answer}"


def test_flows_side_by_side_each_go_on_when_their_own_task_is_done() -> None:
    tasks, went_on = [CompletableTask[int]() for _ in range(3)], list[str]()
    together = concurrently([waits(task, went_on, name) for task, name in zip(tasks, "abc", strict=True)])
    next(together)
    tasks[2].complete(3)
    together.send(None)
    assert went_on == ["c"]
    tasks[0].complete(1)
    tasks[1].complete(2)
    with pytest.raises(StopIteration) as end:
        together.send(None)
    assert end.value.value == ["a: 1", "b: 2", "c: 3"]


def test_an_error_of_one_flow_comes_out_after_the_others_have_ended() -> None:
    tasks, went_on = [CompletableTask[int]() for _ in range(2)], list[str]()
    together = concurrently([waits(task, went_on, name) for task, name in zip(tasks, "ab", strict=True)])
    next(together)
    tasks[0].cancel(ValueError("broken"))
    together.send(None)
    assert went_on == ["a failed"]
    tasks[1].complete(2)
    with pytest.raises(ValueError, match="broken"):
        together.send(None)
    assert went_on == ["a failed", "b"]


def test_no_flows_are_over_at_once() -> None:
    with pytest.raises(StopIteration):
        next(concurrently([]))
