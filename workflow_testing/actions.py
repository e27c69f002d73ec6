"""Compares what a workflow asks for with what a history records, and describes both."""

import json
from datetime import UTC
from enum import StrEnum
from typing import Any

from workflow_testing.sdk import events, pb


class Kind(StrEnum):
    """How code and record differ."""

    UNKNOWN_WORKFLOW = "unknown workflow"
    OTHER_ACTION = "other action"
    OTHER_ACTIVITY = "other activity"
    OTHER_CHILD = "other child workflow"
    OTHER_TIMER = "other timer"
    OTHER_INPUT = "other input"
    MISSING_ACTION = "missing action"
    ADDITIONAL_ACTION = "additional action"
    OTHER_END = "other end"
    OTHER_RESULT = "other result"


ACTIONS = {
    "taskScheduled": "scheduleTask",
    "timerCreated": "createTimer",
    "childWorkflowInstanceCreated": "createChildWorkflow",
}
"""The action that each of these events records."""


def compare(event: Any, action: Any, inputs: bool) -> Kind | None:
    """Return how an action differs from the event that should record it; `inputs` compares the inputs too."""
    kind = event.WhichOneof("eventType")
    if action.WhichOneof("workflowActionType") != ACTIONS[kind]:
        return Kind.OTHER_ACTION
    recorded, asked = getattr(event, kind), getattr(action, ACTIONS[kind])
    if kind == "timerCreated":
        return None if _same_timer(recorded, asked) else Kind.OTHER_TIMER
    if kind == "taskScheduled" and recorded.name != asked.name:
        return Kind.OTHER_ACTIVITY
    if kind == "childWorkflowInstanceCreated" and (recorded.name, recorded.instanceId) != (
        asked.name,
        asked.instanceId,
    ):
        return Kind.OTHER_CHILD
    return Kind.OTHER_INPUT if inputs and value(recorded.input) != value(asked.input) else None


def compare_end(recorded: Any, asked: Any) -> Kind | None:
    """Return how a workflow's end differs from the recorded one."""
    if recorded.workflowStatus != asked.workflowStatus:
        return Kind.OTHER_END
    if recorded.workflowStatus == pb.ORCHESTRATION_STATUS_TERMINATED:
        return None
    same = value(recorded.result) == value(asked.result) and _failure(recorded) == _failure(asked)
    return None if same else Kind.OTHER_RESULT


def describe_event(event: Any) -> str:
    """Return an event in words."""
    kind = event.WhichOneof("eventType") or "an event of an unknown type"
    if kind in ACTIONS:
        return _describe(ACTIONS[kind], getattr(event, kind), event.eventId)
    if kind == "executionCompleted":
        return describe_end(event.executionCompleted)
    return str(kind)


def describe_action(action: Any) -> str:
    """Return an action in words."""
    kind = action.WhichOneof("workflowActionType")
    return _describe(kind, getattr(action, kind), action.id)


def describe_end(end: Any) -> str:
    """Return the end of a workflow in words."""
    status = events.get_orchestration_status_str(end.workflowStatus)
    if end.HasField("failureDetails"):
        return f"the end, {status} with {end.failureDetails.errorType}: {end.failureDetails.errorMessage}"
    return f"the end, {status} with the result {_short(end.result)}"


def value(payload: Any) -> Any:
    """Return a payload as the JSON that it is, or as text."""
    if not payload.value:
        return None
    try:
        return json.loads(payload.value)
    except ValueError:
        return payload.value


def _describe(kind: str, message: Any, number: int) -> str:
    match kind:
        case "scheduleTask":
            return f"activity {message.name!r} (#{number}, input {_short(message.input)})"
        case "createChildWorkflow":
            return (
                f"child workflow {message.name!r} (#{number}, instance {message.instanceId!r}, "
                f"input {_short(message.input)})"
            )
        case "createTimer":
            return f"timer (#{number}, {_reason(message)}{_due(message)})"
        case "completeWorkflow":
            return describe_end(message)
    return f"{kind} (#{number})"


def _short(payload: Any) -> str:
    text = payload.value or "none"
    return text if len(text) <= 200 else f"{text[:200]} …"


def _due(timer: Any) -> str:
    if timer.fireAt == events.OPTIONAL_TIMER_FIRE_AT:
        return "no timeout"
    return f"due {timer.fireAt.ToDatetime(tzinfo=UTC).isoformat()}"


def _reason(timer: Any) -> str:
    match timer.WhichOneof("origin"):
        case "externalEvent":
            return f"waits for event {timer.externalEvent.name!r}, "
        case "activityRetry":
            return "before the retry of an activity, "
        case "childWorkflowRetry":
            return "before the retry of a child workflow, "
    return ""


def _same_timer(recorded: Any, asked: Any) -> bool:
    if recorded.fireAt != asked.fireAt:
        return False
    # Older sidecars do not record what a timer is for.
    return recorded.WhichOneof("origin") is None or _reason(recorded) == _reason(asked)


def _failure(end: Any) -> tuple[str, str] | None:
    details = end.failureDetails
    return (details.errorType, details.errorMessage) if end.HasField("failureDetails") else None
