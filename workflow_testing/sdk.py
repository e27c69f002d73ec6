"""Everything that this package uses of Dapr's Python SDK beyond its public API, in one place.

The SDK has no public interface for its executor. A new version of the SDK may move these parts; then this module
is the only one to change. Written for `dapr` 1.19.
"""

import logging
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext, WorkflowRuntime
from dapr.ext.workflow._durabletask.internal import helpers, protos, shared
from dapr.ext.workflow._durabletask.worker import (
    OrchestratorNotRegisteredError,
    VersionNotRegisteredException,
    _ActivityExecutor,
    _OrchestrationExecutor,
    _Registry,
    _RuntimeOrchestrationContext,
)
from dapr.ext.workflow._model_protocol import coerce_to_model, resolve_input
from dapr.ext.workflow.workflow_runtime import _make_activity_wrapper

ActivityExecutor: Any = _ActivityExecutor
Context: Any = _RuntimeOrchestrationContext
Executor: Any = _OrchestrationExecutor
Registry: Any = _Registry
activity_wrapper: Any = _make_activity_wrapper
events: Any = helpers
pb: Any = protos
to_json: Any = shared.to_json

_WORKER = "_WorkflowRuntime__worker"

UNKNOWN_WORKFLOW_ERRORS = (OrchestratorNotRegisteredError, VersionNotRegisteredException)
"""Raised where no workflow is registered under the recorded name or version."""

QUIET = logging.getLogger("workflow_testing.sdk")
"""The logger for the SDK's executors, which report each step and each failed activity."""
QUIET.setLevel(logging.CRITICAL)

__all__ = [
    "QUIET",
    "UNKNOWN_WORKFLOW_ERRORS",
    "ActivityExecutor",
    "Context",
    "DaprWorkflowContext",
    "Executor",
    "Registry",
    "WorkflowRuntime",
    "activity_wrapper",
    "coerce_to_model",
    "events",
    "pb",
    "registry_of_runtime",
    "resolve_input",
    "to_json",
]


def registry_of_runtime(runtime: WorkflowRuntime) -> Any:
    """Return the registry of a runtime, with all that was registered there, also named versions."""
    worker = getattr(runtime, _WORKER)
    return worker._registry  # noqa: SLF001
