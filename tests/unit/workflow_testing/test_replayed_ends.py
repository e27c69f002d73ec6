"""The replayer: workflows that end elsewhere, otherwise, or with another result than the record."""

from datetime import timedelta
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext

from tests.unit.workflow_testing.changes import (
    difference_of,
    found,
    pausing,
    recorded,
    two_steps,
    waiting,
)
from workflow_testing import History, Kind


def test_a_code_that_ends_earlier_is_found() -> None:
    def changed(ctx: DaprWorkflowContext, _given: Any) -> Any:
        return (yield ctx.call_activity("a", input=1))

    assert found(recorded(two_steps), changed) == (Kind.OTHER_END, 6, "taskScheduled")


def test_a_code_that_ends_while_the_record_waits_is_found() -> None:
    def changed(_ctx: DaprWorkflowContext, _given: Any) -> Any:
        return 1

    assert found(recorded(pausing), changed)[0] == Kind.OTHER_END
    unfinished = History("one", recorded(waiting, "go").events[:2])
    assert found(unfinished, changed)[0] == Kind.OTHER_END


def test_a_code_that_fails_is_found_with_its_error() -> None:
    def changed(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.call_activity("a", input=1)
        raise KeyError("gone")

    difference = difference_of(recorded(two_steps), changed)
    assert difference is not None
    assert (difference.kind, difference.number) == (Kind.OTHER_END, 6)
    assert difference.asked == "the end, FAILED with KeyError: 'gone'"


def test_a_code_that_fails_in_its_last_step_is_found() -> None:
    def changed(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.create_timer(timedelta(seconds=5))
        raise KeyError("gone")

    history = recorded(pausing)
    assert found(history, changed) == (Kind.OTHER_END, len(history.events), "executionCompleted")


def test_the_same_failure_replays_and_another_is_found() -> None:
    def failing(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.create_timer(timedelta(seconds=5))
        raise KeyError("gone")

    def changed(ctx: DaprWorkflowContext, _given: Any) -> Any:
        yield ctx.create_timer(timedelta(seconds=5))
        raise ValueError("gone")

    history = recorded(failing)
    assert difference_of(history, failing) is None
    assert found(history, changed)[0] == Kind.OTHER_RESULT


def test_another_result_is_found_at_the_end() -> None:
    def changed(ctx: DaprWorkflowContext, given: Any) -> Any:
        yield from pausing(ctx, given)
        return 2

    history = recorded(pausing)
    assert found(history, changed) == (Kind.OTHER_RESULT, len(history.events), "executionCompleted")
