"""Workers with versions of one workflow: `python -m tests.engine.versioned_worker MODE`."""

import sys
import threading
from collections.abc import Callable, Generator
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext, WorkflowActivityContext, WorkflowRuntime

Workflow = Callable[..., Generator[Any, Any, str]]


def echo(_ctx: WorkflowActivityContext, text: str) -> str:
    """Return the text."""
    return text


def added(_ctx: WorkflowActivityContext, text: str) -> str:
    """Return the text: the step that a newer version adds."""
    return text


def old(ctx: DaprWorkflowContext, text: str) -> Generator[Any, Any, str]:
    """Run one activity before and one after an event."""
    yield ctx.call_activity(echo, input=text)
    yield ctx.wait_for_external_event("go")
    yield ctx.call_activity(echo, input=text)
    return "old"


def new(ctx: DaprWorkflowContext, text: str) -> Generator[Any, Any, str]:
    """Run another activity first."""
    yield ctx.call_activity(added, input=text)
    yield from old(ctx, text)
    return "new"


def patched(ctx: DaprWorkflowContext, text: str) -> Generator[Any, Any, str]:
    """Run another activity after the first one, if patched."""
    yield ctx.call_activity(echo, input=text)
    if ctx.is_patched("added"):
        yield ctx.call_activity(added, input=text)
    yield ctx.wait_for_external_event("go")
    return "patched"


def patched_at_its_beginning(ctx: DaprWorkflowContext, text: str) -> Generator[Any, Any, str]:
    """Evaluate a patch before the first activity."""
    ctx.is_patched("any")
    yield from old(ctx, text)
    return "patched at its beginning"


MODES: dict[str, dict[str | None, Workflow]] = {
    "unversioned": {None: old},
    "patched": {None: patched},
    "1": {"1": old},
    "1 and 2, begins 1": {"2": new, "1": old},
    "1 and 2, begins 2": {"1": old, "2": new},
    "patched 1": {"1": patched_at_its_beginning},
    "patched 1 and 2": {"1": patched_at_its_beginning, "2": new},
}
"""The versions that a worker registers; the last one is the latest."""


def main() -> None:
    """Run until killed."""
    runtime, versions = WorkflowRuntime(), MODES[sys.argv[1]]
    for name, workflow in versions.items():
        if name is None:
            runtime.register_workflow(workflow, name="versioned")
        else:
            latest = name == list(versions)[-1]
            runtime.register_versioned_workflow(workflow, name="versioned", version_name=name, is_latest=latest)
    runtime.register_activity(echo)
    runtime.register_activity(added)
    runtime.start()  # type: ignore[no-untyped-call]
    threading.Event().wait()


if __name__ == "__main__":
    main()
