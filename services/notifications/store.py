"""Stores the feed of all orders, the feed of each order, and dead letters."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from zlib import crc32

from services.common.clock import Clock
from services.common.records import Entry, Slice
from services.common.storage.documents import Documents, Records
from services.common.storage.index import Index
from services.common.storage.index_reader import IndexReader
from services.notifications import domain
from services.notifications.models import DeadLetterMark, FeedEvent, OrderFeed

FEED = "feed"
_DEAD_FEED = "dead-feed"
_STRIPES = 256


class NotificationsStore:
    """The feeds, in the state store.

    Events are written to the feed of all orders first and to their orders' feeds last. The order's feed detects
    repeated deliveries, so redelivery completes the write after a crash in between.
    """

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._clock = clock
        self._feed, self._feed_reader = Index(documents, FEED, clock), IndexReader(documents, FEED)
        self._dead, self._dead_reader = (
            Index(documents, _DEAD_FEED, clock),
            IndexReader(documents, _DEAD_FEED),
        )
        self._orders = Records(documents, "order-feed", OrderFeed)
        self._marks = Records(documents, "dead-letter", DeadLetterMark)
        # Of two concurrent deliveries of an event, only one may find it new.
        self._locks = [threading.Lock() for _ in range(_STRIPES)]

    def keep_events(self, received: Sequence[FeedEvent], now: datetime) -> list[FeedEvent]:
        """Store new events, each once; return those that exceed the limit of their order.

        Raises TransientError; some events may be stored then, and redelivery stores the rest.
        """
        by_order: dict[str, list[FeedEvent]] = {}
        for event in received:
            by_order.setdefault(event.order_id, []).append(event)
        with self._locked(by_order):
            before = self._orders.get_map(list(by_order))
            after = {order: domain.with_events(before.get(order), events) for order, events in by_order.items()}
            new = [event for order in by_order for event in domain.missing(before.get(order), after[order].events)]
            if new:
                entries = [Entry(id=event.id, at=domain.arrival(now), data=event.to_json()) for event in new]
                self._feed.append_all(entries, since=domain.earliest_arrival(new))
            for order in {event.order_id for event in new}:
                self._orders.update(order, partial(domain.with_events, events=by_order[order]))
        return [event for order, events in by_order.items() for event in domain.missing(after[order], events)]

    def keep_dead_letter(self, body: bytes) -> None:
        """Store a message that could not be processed, once. Raises TransientError."""
        key, letter = domain.dead_letter_key(body), domain.dead_letter(body, self._clock())
        with self._locked([key]):
            if self._marks.get(key) is None:
                self._dead.put(Entry(id=key, at=letter.seen_at, data=letter.to_json()))
                self._marks.create(key, DeadLetterMark(seen_at=letter.seen_at))

    def events(self, limit: int, cursor: str | None) -> Slice:
        """Return events of all orders, newest first. Raises BadCursorError and TransientError."""
        return self._feed_reader.read(limit, cursor)

    def events_of(self, order_id: str, limit: int, cursor: str | None) -> Slice:
        """Return the events of an order, newest first. Raises BadCursorError and TransientError."""
        return domain.page_of(self._orders.get(order_id) or OrderFeed(), limit, cursor)

    def dead_letters(self, limit: int, cursor: str | None) -> Slice:
        """Return dead letters, newest first. Raises BadCursorError and TransientError."""
        return self._dead_reader.read(limit, cursor)

    @contextmanager
    def _locked(self, keys: Iterable[str]) -> Iterator[None]:
        with ExitStack() as stack:
            # In a fixed order, to prevent deadlocks.
            for stripe in sorted({crc32(key.encode()) % _STRIPES for key in keys}):
                stack.enter_context(self._locks[stripe])
            yield
