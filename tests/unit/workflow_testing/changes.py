"""Workflows that are recorded, and the difference that a changed one makes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext

from workflow_testing import Difference, History, Kind, WorkflowTester, replay

Flow = Callable[..., Any]


def recorded(workflow: Flow, *raised: str) -> History:
    """Return the history of a workflow with the activities `a`, `b`, `c` and the child `child`."""
    tester = WorkflowTester({"workflow": workflow, "child": child}, dict.fromkeys("abc", lambda _ctx, given: given))
    tester.schedule_new_workflow("workflow", input=1, instance_id="one")
    tester.run()
    for name in raised:
        tester.raise_workflow_event("one", name)
        tester.run()
    tester.run_to_end()
    return next(history for history in tester.histories() if history.instance_id == "one")


def difference_of(history: History, changed: Flow, compare_inputs: bool = False) -> Difference | None:
    return replay(history, {"workflow": changed, "child": child}, compare_inputs)


def found(history: History, changed: Flow, compare_inputs: bool = False) -> tuple[Kind, int, str]:
    difference = difference_of(history, changed, compare_inputs)
    assert difference is not None
    event = history.events[difference.number - 1]
    return difference.kind, difference.number, event.WhichOneof("eventType")


def child(_ctx: DaprWorkflowContext, given: Any) -> Any:
    return given


def two_steps(ctx: DaprWorkflowContext, _given: Any) -> Any:
    first = yield ctx.call_activity("a", input=1)
    yield ctx.call_activity("b", input=2)
    return first


def pausing(ctx: DaprWorkflowContext, _given: Any) -> Any:
    yield ctx.create_timer(timedelta(seconds=5))
    return 1


def waiting(ctx: DaprWorkflowContext, _given: Any) -> Any:
    yield ctx.wait_for_external_event("go", timeout=timedelta(seconds=5))
    return 1


def with_child(ctx: DaprWorkflowContext, _given: Any) -> Any:
    return (yield ctx.call_child_workflow("child", input=1, instance_id="one-child"))
