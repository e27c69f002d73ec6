"""What support sees of an order, put together of what the services say; pure."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from services.common.json_models import Json
from services.web.views.labels import name_of


class Happening(NamedTuple):
    """A step of an order beside the event that tells of it.

    `number` is None for an event without a step, `told` is None while nobody can say whether the feed has the event.
    """

    number: int | None
    at: str
    type: str
    message: str
    actor: str
    fulfillment: str | None
    event: str
    told: bool | None


class Record(NamedTuple):
    """An event of a workflow's history; `payloads` are titles with JSON as text, `about` the number it belongs to."""

    key: str
    at: str
    what: str
    name: str | None
    number: int | None
    about: int | None
    due: str | None
    payloads: list[tuple[str, str]]
    failure: str | None


def happenings(order_id: str, timeline: Sequence[Json], events: Sequence[Json] | None) -> list[Happening]:
    """Return an order's steps, oldest first, with their events; then events that have no step.

    Events come newest first; None says that the feed cannot be read.
    """
    known = {event["id"]: event for event in events or []}
    found = []
    for step in timeline:
        event_id = f"{order_id}/{step['seq']}"
        told = None if events is None else known.pop(event_id, None) is not None
        found.append(_happening(step, step["seq"], step["at"], event_id, told))
    return found + [_happening(event, None, event["time"], event["id"], True) for event in reversed(known.values())]


def _happening(source: Json, number: int | None, at: str, event_id: str, told: bool | None) -> Happening:
    fulfillment = source.get("fulfillmentId")
    return Happening(number, at, source["type"], source["message"], source["actor"], fulfillment, event_id, told)


def records(instance: Json) -> list[Record]:
    """Return the history of a workflow instance as it is read."""
    first = int(instance.get("omitted", 0))
    return [_record(event, str(number)) for number, event in enumerate(instance["events"], start=first)]


def _record(event: Json, key: str) -> Record:
    titled = [("Given", event["input"]), ("Returned", event["result"])]
    failure = event["failure"]
    return Record(
        key=key,
        at=event["at"],
        what=name_of(event["type"]).capitalize(),
        name=event["name"],
        number=event["id"],
        about=event["scheduledId"],
        due=event["fireAt"],
        payloads=[(title, pretty(payload)) for title, payload in titled if payload is not None],
        failure=f"{failure['type']}: {failure['message']}" if failure else None,
    )


def pretty(payload: Any) -> str:
    """Return JSON as text that is easy to read; a text, which may be a cut payload, as it is."""
    return payload if isinstance(payload, str) else json.dumps(payload, indent=2, ensure_ascii=False)


def trace_address(zipkin: str, trace_id: str | None) -> str | None:
    """Return where Zipkin shows a trace."""
    return f"{zipkin.rstrip('/')}/zipkin/traces/{trace_id}" if trace_id else None
