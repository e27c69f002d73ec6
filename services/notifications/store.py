"""What notifications keeps: the feed of all orders, the feed of each order, and dead letters."""

import threading
from zlib import crc32

from services.common.clock import Clock
from services.common.documents import Documents, Records
from services.common.index import Entry, Index
from services.common.index_reader import IndexReader, Slice
from services.notifications import domain
from services.notifications.models import CloudEvent, DeadLetterMark, OrderFeed

FEED = "feed"
_DEAD_FEED = "dead-feed"
_STRIPES = 256


class NotificationsStore:
    """The feeds, in the state store.

    An event is written to the feed of all orders first and to its order's feed last. The order's feed is what
    tells a repeated delivery from a new one, so a crash in between is mended by the next delivery.
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
        # Two deliveries of one event at the same time must not both find it new.
        self._locks = [threading.Lock() for _ in range(_STRIPES)]

    def keep_event(self, received: CloudEvent) -> bool:
        """Keep an event; tell whether it was new.

        Raises domain.UnprocessableError, and TransientError: the event may then be kept in part, and is kept
        wholly when it is delivered again.
        """
        now = self._clock()
        event = domain.feed_event(received, now)
        with self._lock(event.order_id):
            before = self._orders.get(event.order_id)
            if domain.knows(before, event.id):
                return False
            domain.check_room(before)
            entry = Entry(id=event.id, at=domain.arrival(now), data=event.wire())
            self._feed.put(entry, since=domain.earliest_arrival(event))
            self._orders.update(event.order_id, lambda feed: domain.with_event(feed, event))
        return True

    def keep_dead_letter(self, body: bytes) -> None:
        """Keep a message that could not be processed, once. Raises TransientError."""
        key, letter = domain.dead_letter_key(body), domain.dead_letter(body, self._clock())
        with self._lock(key):
            if self._marks.get(key) is None:
                self._dead.put(Entry(id=key, at=letter.seen_at, data=letter.wire()))
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

    def _lock(self, key: str) -> threading.Lock:
        return self._locks[crc32(key.encode()) % _STRIPES]
