"""The application of these tests: `python -m tests.engine.worker` runs three small workflows."""

import threading
from collections.abc import Generator
from datetime import timedelta
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext, WorkflowActivityContext, WorkflowRuntime


def echo(_ctx: WorkflowActivityContext, text: str) -> str:
    """Return the text."""
    return text


def greet(ctx: DaprWorkflowContext, text: str) -> Generator[Any, Any, str]:
    """Run one activity."""
    return (yield ctx.call_activity(echo, input=text))


def delayed_greet(ctx: DaprWorkflowContext, text: str) -> Generator[Any, Any, str]:
    """Run one activity after a timer."""
    yield ctx.create_timer(timedelta(seconds=1))
    return (yield ctx.call_activity(echo, input=text))


def wait_for_go(ctx: DaprWorkflowContext, _input: Any) -> Generator[Any, Any, Any]:
    """Wait for the event `go`."""
    return (yield ctx.wait_for_external_event("go"))


def main() -> None:
    """Run until killed."""
    runtime = WorkflowRuntime()
    for workflow in (greet, delayed_greet, wait_for_go):
        runtime.register_workflow(workflow)
    runtime.register_activity(echo)
    runtime.start()  # type: ignore[no-untyped-call]
    threading.Event().wait()


if __name__ == "__main__":
    main()
