"""Registers workflow functions as the SDK's worker does."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from workflow_testing import sdk

Workflow = Callable[..., Any]
"""A workflow function, as `WorkflowRuntime.register_workflow` takes it."""

Workflows = Iterable[Workflow] | Mapping[str, Workflow | Mapping[str, Workflow]] | sdk.WorkflowRuntime
"""Workflows: functions, which are registered under their names; or a mapping of names to functions, or to the functions
of each named version, the latest last; or a runtime in which they are registered."""


def create_registry(workflows: Workflows) -> Any:
    """Return the SDK's registry with these workflows."""
    if isinstance(workflows, sdk.WorkflowRuntime):
        return sdk.registry_of_runtime(workflows)
    named = workflows if isinstance(workflows, Mapping) else {workflow_name(each): each for each in workflows}
    registry = sdk.Registry()
    for name, workflow in named.items():
        if not isinstance(workflow, Mapping):
            registry.add_named_orchestrator(name, _orchestrator(workflow))
            continue
        for version, function in workflow.items():
            registry.add_named_orchestrator(name, _orchestrator(function), version, version == list(workflow)[-1])
    return registry


def workflow_name(workflow: Workflow | str) -> str:
    """Return the name under which the SDK registers a workflow or an activity."""
    if isinstance(workflow, str):
        return workflow
    return str(getattr(workflow, "_dapr_alternate_name", workflow.__name__))


def _orchestrator(workflow: Workflow) -> Callable[..., Any]:
    """Return the function that the SDK's executor calls, which converts the input to the declared model."""
    accepts_input, model = sdk.resolve_input(workflow)

    def orchestrate(ctx: Any, given: Any = None) -> Any:
        context = sdk.DaprWorkflowContext(ctx)
        if not accepts_input:
            return workflow(context)
        if given is not None and model is not None and not isinstance(given, model):
            given = sdk.coerce_to_model(given, model)
        return workflow(context, given)

    return orchestrate
