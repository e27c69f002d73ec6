"""What notifications decides: which messages are order events, and what of each is kept."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.common.clock import moment, rfc3339
from services.common.ids import ORDER_ID_PATTERN
from services.common.records import BadCursorError, Entry, Slice
from services.notifications.models import MAX_MESSAGE, MAX_ORDER_EVENTS, CloudEvent, DeadLetter, FeedEvent, OrderFeed

_MAX_EXCERPT = 1000
_MAX_RAW_ID = 200
_EPOCH = datetime(1970, 1, 2, tzinfo=UTC)
_CLOCKS_DIFFER = timedelta(seconds=5)


class UnprocessableError(Exception):
    """A message that can never become an event of the feed, however often it is delivered."""


def is_order_id(text: str) -> bool:
    """Tell whether the text can be the id of an order."""
    return re.fullmatch(ORDER_ID_PATTERN, text) is not None


def feed_event(event: CloudEvent, received: datetime) -> FeedEvent:
    """Return what the feed keeps of an event; one that does not say when it happened happened when it came.

    Raises UnprocessableError for a time that is none.
    """
    return FeedEvent(
        id=event.id,
        type=event.type,
        order_id=event.data.order_id,
        fulfillment_id=event.data.fulfillment_id,
        message=_one_line(event.data.message),
        actor=event.data.actor,
        time=rfc3339(received) if event.time is None else _utc(event.time),
    )


def arrival(received: datetime) -> str:
    """Return what orders the feed: when an event came, to the microsecond, as many come at once."""
    return received.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def earliest_arrival(events: Iterable[FeedEvent]) -> str:
    """Return before when none of the events can have come: none had happened, by clocks that may differ a little."""
    return arrival(max(min(moment(event.time) for event in events), _EPOCH) - _CLOCKS_DIFFER)


def with_events(feed: OrderFeed | None, events: Sequence[FeedEvent]) -> OrderFeed:
    """Return the order's feed with those of the events in it that it has not and has room for; the same if none are.

    The broker delivers in no particular order, so their places are by the times of the events.
    """
    feed = feed or OrderFeed()
    new = {event.id: event for event in missing(feed, events)}
    taken = list(new.values())[: MAX_ORDER_EVENTS - len(feed.events)]
    return OrderFeed(events=sorted([*feed.events, *taken], key=_chronology)) if taken else feed


def missing(feed: OrderFeed | None, events: Iterable[FeedEvent]) -> list[FeedEvent]:
    """Return those of the events that the order's feed has not."""
    known = {event.id for event in feed.events} if feed else set()
    return [event for event in events if event.id not in known]


def _chronology(event: FeedEvent) -> tuple[str, int]:
    # Steps of one moment are told apart by the number that orderprocessing puts behind the slash of the id.
    number = event.id.rpartition("/")[2]
    return event.time, int(number) if re.fullmatch(r"[0-9]{1,9}", number) else 0


def is_feed_cursor(text: str) -> bool:
    """Tell whether the text has the shape of a cursor of one order's events."""
    return re.fullmatch(r"[0-9]{1,6}", text) is not None


def page_of(feed: OrderFeed, limit: int, cursor: str | None) -> Slice:
    """Return some of an order's events, newest first.

    The cursor counts the events that are still to come, from the oldest, so what arrives does not shift it.
    Raises BadCursorError.
    """
    rest = len(feed.events)
    if cursor:
        if not is_feed_cursor(cursor) or int(cursor) > rest:
            raise BadCursorError
        rest = int(cursor)
    first = max(rest - limit, 0)
    entries = [Entry(id=event.id, at=event.time, data=event.to_json()) for event in reversed(feed.events[first:rest])]
    return Slice(entries, str(first) if first else None)


def dead_letter(body: bytes, seen_at: datetime) -> DeadLetter:
    """Return what is kept of a message that could not be processed, whatever it is."""
    envelope = _envelope(body)
    return DeadLetter(
        id=_readable(envelope.get("id"), _MAX_RAW_ID),
        type=_readable(envelope.get("type"), _MAX_RAW_ID),
        excerpt=body.decode("utf-8", "replace")[:_MAX_EXCERPT],
        seen_at=rfc3339(seen_at),
    )


def dead_letter_key(body: bytes) -> str:
    """Return the key by which a dead letter is kept once: made of its id, or of its body if it has none."""
    raw_id = _envelope(body).get("id")
    named = isinstance(raw_id, str) and raw_id
    return hashlib.sha256(b"id:" + json.dumps(raw_id).encode() if named else b"body:" + body).hexdigest()


def _envelope(body: bytes) -> dict[str, Any]:
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return envelope if isinstance(envelope, dict) else {}


def _readable(value: object, most: int) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:most].encode("utf-8", "replace").decode()


def _one_line(message: str) -> str:
    return "".join(char if char.isprintable() else " " for char in message[:MAX_MESSAGE])


def _utc(text: str) -> str:
    try:
        when = moment(text)
        if when.tzinfo is None:
            raise UnprocessableError("time: has no offset from UTC")
        return rfc3339(when)
    except (ValueError, OverflowError) as error:
        raise UnprocessableError("time: is not an RFC 3339 time") from error
