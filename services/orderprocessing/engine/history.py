"""Converts the engine's histories to JSON: each event of a workflow instance with its input and result.

An event is the protobuf message that the engine sends. Its fields are looked up by name in the message's descriptor, so
that an event of a newer engine is shown with the fields that it shares.
"""

import json
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from services.common.clock import rfc3339
from services.orderprocessing.domain.order import JsonObject
from services.orderprocessing.engine.activity_run import run_of_failure, split_run, without_try

_MAX_EVENTS = 1000
"""The newest are shown; a step that fails for days makes a history long."""
_MAX_TEXT = 4000
_NEVER_YEAR = 9999
"""The year of the timer that the SDK creates where a workflow waits without a timeout."""

_STATUS_AFTER = {"executionSuspended": "SUSPENDED", "executionResumed": "RUNNING", "executionStalled": "STALLED"}


def instance_view(instance: str, events: Sequence[Any]) -> JsonObject:
    """Return a workflow instance with its events; `omitted` counts the oldest ones, which are left out."""
    names = {event.eventId: _name(event) for event in events if event.eventId >= 0}
    began = next((event for event in events if _type(event) == "executionStarted"), None)
    shown = events[-_MAX_EVENTS:]
    return {
        "instanceId": instance,
        "workflow": _name(began) if began is not None else None,
        "status": _status(events),
        "omitted": len(events) - len(shown),
        "events": [_event(event, names) for event in shown],
    }


def decoded(payload: str) -> Any:
    """Return the input or result of a workflow or an activity; payloads are decoded only here."""
    if len(payload) > _MAX_TEXT:
        return _truncate(payload)
    try:
        return json.loads(payload)
    except ValueError:
        return payload


def _event(event: Any, names: dict[int, str | None]) -> JsonObject:
    payload = _payload(event)
    scheduled = getattr(payload, "taskScheduledId", getattr(payload, "timerId", None))
    return {
        "id": event.eventId if event.eventId >= 0 else None,
        "at": rfc3339(event.timestamp.ToDatetime(tzinfo=UTC)),
        "type": _type(event),
        # A result has no name of its own, so it gets the name of its task.
        "name": _name(event) or names.get(scheduled if scheduled is not None else -1),
        "scheduledId": scheduled,
        "fireAt": _fire_at(payload),
        "input": without_try(_text(payload, "input")),
        **_outcome(payload),
    }


def _status(events: Sequence[Any]) -> str:
    status = "RUNNING" if events else "PENDING"
    for event in events:
        if _type(event) == "executionCompleted":
            kinds = event.executionCompleted.DESCRIPTOR.fields_by_name["workflowStatus"].enum_type.values_by_number
            status = kinds[event.executionCompleted.workflowStatus].name.removeprefix("ORCHESTRATION_STATUS_")
        status = _STATUS_AFTER.get(_type(event), status)
    return status


def _type(event: Any) -> str:
    return event.WhichOneof("eventType") or "unknown"


def _payload(event: Any) -> Any:
    return getattr(event, _type(event), None)


def _name(event: Any) -> str | None:
    return getattr(_payload(event), "name", None) or None


def _text(payload: Any, field: str) -> Any:
    return decoded(getattr(payload, field).value) if _has(payload, field) else None


def _outcome(payload: Any) -> JsonObject:
    """Return the result or the failure, and for an activity the record of its run by a worker."""
    result, run = None, None
    if _has(payload, "result"):
        text, run = split_run(payload.result.value)
        result = decoded(text)
    elif _has(payload, "failureDetails"):
        run = run_of_failure(payload.failureDetails)
    return {"result": result, "failure": _failure(payload), "run": run.to_json() if run else None}


def _fire_at(payload: Any) -> str | None:
    if not _has(payload, "fireAt"):
        return None
    due = payload.fireAt.ToDatetime(tzinfo=UTC)
    return rfc3339(due) if due.year < _NEVER_YEAR else None


def _failure(payload: Any) -> JsonObject | None:
    """Return the cause of a failure, without the stack trace, which is only logged."""
    if not _has(payload, "failureDetails"):
        return None
    details = payload.failureDetails
    return {"type": details.errorType, "message": _truncate(details.errorMessage)}


def _has(payload: Any, field: str) -> bool:
    return payload is not None and field in payload.DESCRIPTOR.fields_by_name and payload.HasField(field)


def _truncate(text: str) -> str:
    if len(text) <= _MAX_TEXT:
        return text
    return f"{text[:_MAX_TEXT]} … (truncated, {len(text)} characters in total)"
