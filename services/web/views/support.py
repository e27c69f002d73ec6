"""The details of an order for support, combined from the answers of the services. Pure."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from services.common.json_models import Json
from services.web.views.labels import label


class StepRow(NamedTuple):
    """A step of an order and the event that was published for it.

    `number` is None for an event without a step; `published` is None while the feed cannot be read.
    """

    number: int | None
    at: str
    type: str
    message: str
    actor: str
    fulfillment: str | None
    event: str
    published: bool | None


class HistoryEvent(NamedTuple):
    """An event of a workflow history; `payloads` are titles and JSON, `about` is the number of an earlier event.

    `run` says which worker ran the activity that the event ends, when, for how long, and in which try.
    """

    key: str
    at: str
    type: str
    name: str | None
    number: int | None
    about: int | None
    due: str | None
    payloads: list[tuple[str, str]]
    failure: str | None
    run: Json | None


def step_rows(order_id: str, timeline: Sequence[Json], events: Sequence[Json] | None) -> list[StepRow]:
    """Return an order's steps with their events, oldest first, then the events without a step.

    Events come newest first; None means that the feed cannot be read.
    """
    unmatched = {event["id"]: event for event in events or []}
    rows = []
    for step in timeline:
        event_id = f"{order_id}/{step['seq']}"
        published = None if events is None else unmatched.pop(event_id, None) is not None
        rows.append(_step_row(step, step["seq"], step["at"], event_id, published))
    return rows + [_step_row(event, None, event["time"], event["id"], True) for event in reversed(unmatched.values())]


def _step_row(source: Json, number: int | None, at: str, event_id: str, published: bool | None) -> StepRow:
    fulfillment = source.get("fulfillmentId")
    return StepRow(number, at, source["type"], source["message"], source["actor"], fulfillment, event_id, published)


def history_events(instance: Json) -> list[HistoryEvent]:
    """Return the history of a workflow instance."""
    first = int(instance.get("omitted", 0))
    return [_history_event(event, str(number)) for number, event in enumerate(instance["events"], start=first)]


def _history_event(event: Json, key: str) -> HistoryEvent:
    payloads = [("Input", event["input"]), ("Result", event["result"])]
    failure = event["failure"]
    return HistoryEvent(
        key=key,
        at=event["at"],
        type=label(event["type"]).capitalize(),
        name=event["name"],
        number=event["id"],
        about=event["scheduledId"],
        due=event["fireAt"],
        payloads=[(title, format_payload(payload)) for title, payload in payloads if payload is not None],
        failure=f"{failure['type']}: {failure['message']}" if failure else None,
        run=event.get("run"),
    )


def format_payload(payload: Any) -> str:
    """Return JSON as indented text; a string, which may be a truncated payload, is returned as it is."""
    return payload if isinstance(payload, str) else json.dumps(payload, indent=2, ensure_ascii=False)


def trace_url(zipkin: str, trace_id: str | None) -> str | None:
    """Return the URL of a trace in Zipkin."""
    return f"{zipkin.rstrip('/')}/zipkin/traces/{trace_id}" if trace_id else None
