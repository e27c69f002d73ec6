"""What the engine's histories say in plain words: each event of a workflow instance, with what was given and returned.

An event comes as the protobuf message that the engine sent. Its parts are found by their names in the message's own
description, so that an event of a newer engine is shown as far as it has them.
"""

import json
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from services.common.clock import rfc3339
from services.orderprocessing.domain.order import JsonObject

_MOST_EVENTS = 1000
"""The newest; a step that fails for days makes a history long."""
_MOST_TEXT = 4000
_NEVER = 9999
"""The year of the timer that the SDK makes where a workflow waits without an end."""

_STATUS_AFTER = {"executionSuspended": "SUSPENDED", "executionResumed": "RUNNING", "executionStalled": "STALLED"}


def instance_view(instance: str, events: Sequence[Any]) -> JsonObject:
    """Return what a workflow instance is and what happened in it; `omitted` counts the oldest, which are left out."""
    names = {event.eventId: _name(event) for event in events if event.eventId >= 0}
    began = next((event for event in events if _type(event) == "executionStarted"), None)
    shown = events[-_MOST_EVENTS:]
    return {
        "instanceId": instance,
        "workflow": _name(began) if began is not None else None,
        "status": _status(events),
        "omitted": len(events) - len(shown),
        "events": [_event(event, names) for event in shown],
    }


def decoded(payload: str) -> Any:
    """Return what a workflow or an activity was given or returned; the one place where payloads are read."""
    if len(payload) > _MOST_TEXT:
        return _cut(payload)
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
        # A result has no name of its own, but somebody who reads it wants to know whose it is.
        "name": _name(event) or names.get(scheduled if scheduled is not None else -1),
        "scheduledId": scheduled,
        "fireAt": _fire_at(payload),
        "input": _text(payload, "input"),
        "result": _text(payload, "result"),
        "failure": _failure(payload),
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


def _fire_at(payload: Any) -> str | None:
    if not _has(payload, "fireAt"):
        return None
    due = payload.fireAt.ToDatetime(tzinfo=UTC)
    return rfc3339(due) if due.year < _NEVER else None


def _failure(payload: Any) -> JsonObject | None:
    """Return why something failed, without the stack trace: that is for the log."""
    if not _has(payload, "failureDetails"):
        return None
    details = payload.failureDetails
    return {"type": details.errorType, "message": _cut(details.errorMessage)}


def _has(payload: Any, field: str) -> bool:
    return payload is not None and field in payload.DESCRIPTOR.fields_by_name and payload.HasField(field)


def _cut(text: str) -> str:
    if len(text) <= _MOST_TEXT:
        return text
    return f"{text[:_MOST_TEXT]} … (cut, {len(text)} characters in all)"
