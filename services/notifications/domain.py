"""The rules of notifications: which messages are order events, and what the feed stores of them."""

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
_MAX_CLOCK_SKEW = timedelta(seconds=5)


class UnprocessableError(Exception):
    """A message that is not a valid order event, so that redelivering it is useless."""


def is_order_id(text: str) -> bool:
    """Return whether the text has the format of an order id."""
    return re.fullmatch(ORDER_ID_PATTERN, text) is not None


def feed_event(event: CloudEvent, received: datetime) -> FeedEvent:
    """Return the feed's representation of an event; the time of its arrival replaces a missing time.

    Raises UnprocessableError for an invalid time.
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
    """Return the sort key of the feed: the time of arrival in microseconds, as many events arrive at once."""
    return received.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def earliest_arrival(events: Iterable[FeedEvent]) -> str:
    """Return the earliest possible arrival of the events: their earliest time, less a tolerance for clock skew."""
    return arrival(max(min(moment(event.time) for event in events), _EPOCH) - _MAX_CLOCK_SKEW)


def with_events(feed: OrderFeed | None, events: Sequence[FeedEvent]) -> OrderFeed:
    """Return the order's feed with the missing events added, up to its limit; the same object if none are missing.

    The broker does not preserve the order, so events are sorted by their times.
    """
    feed = feed or OrderFeed()
    new = {event.id: event for event in missing(feed, events)}
    added = list(new.values())[: MAX_ORDER_EVENTS - len(feed.events)]
    return OrderFeed(events=sorted([*feed.events, *added], key=_chronology)) if added else feed


def missing(feed: OrderFeed | None, events: Iterable[FeedEvent]) -> list[FeedEvent]:
    """Return those of the events that the order's feed does not contain."""
    known = {event.id for event in feed.events} if feed else set()
    return [event for event in events if event.id not in known]


def _chronology(event: FeedEvent) -> tuple[str, int]:
    # Events with the same time are sorted by the sequence number after the slash of their id.
    number = event.id.rpartition("/")[2]
    return event.time, int(number) if re.fullmatch(r"[0-9]{1,9}", number) else 0


def is_feed_cursor(text: str) -> bool:
    """Return whether the text has the shape of a cursor of one order's events."""
    return re.fullmatch(r"[0-9]{1,6}", text) is not None


def page_of(feed: OrderFeed, limit: int, cursor: str | None) -> Slice:
    """Return a page of an order's events, newest first.

    The cursor is the number of older events that remain, so that new events do not shift it. Raises BadCursorError.
    """
    remaining = len(feed.events)
    if cursor:
        if not is_feed_cursor(cursor) or int(cursor) > remaining:
            raise BadCursorError
        remaining = int(cursor)
    first = max(remaining - limit, 0)
    entries = [
        Entry(id=event.id, at=event.time, data=event.to_json()) for event in reversed(feed.events[first:remaining])
    ]
    return Slice(entries, str(first) if first else None)


def dead_letter(body: bytes, seen_at: datetime) -> DeadLetter:
    """Return the dead letter of a message that could not be processed."""
    envelope = _envelope(body)
    return DeadLetter(
        id=_readable(envelope.get("id"), _MAX_RAW_ID),
        type=_readable(envelope.get("type"), _MAX_RAW_ID),
        excerpt=body.decode("utf-8", "replace")[:_MAX_EXCERPT],
        seen_at=rfc3339(seen_at),
    )


def dead_letter_key(body: bytes) -> str:
    """Return the deduplication key of a dead letter: a digest of its id, or of its body without one."""
    raw_id = _envelope(body).get("id")
    has_id = isinstance(raw_id, str) and raw_id
    return hashlib.sha256(b"id:" + json.dumps(raw_id).encode() if has_id else b"body:" + body).hexdigest()


def _envelope(body: bytes) -> dict[str, Any]:
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return envelope if isinstance(envelope, dict) else {}


def _readable(value: object, max_length: int) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:max_length].encode("utf-8", "replace").decode()


def _one_line(message: str) -> str:
    return "".join(char if char.isprintable() else " " for char in message[:MAX_MESSAGE])


def _utc(text: str) -> str:
    try:
        time = moment(text)
        if time.tzinfo is None:
            raise UnprocessableError("time: has no offset from UTC")
        return rfc3339(time)
    except (ValueError, OverflowError) as error:
        raise UnprocessableError("time: is not an RFC 3339 time") from error
