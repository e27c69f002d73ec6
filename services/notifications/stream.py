"""The live stream: every open stream follows the feed, and all of them share what is read of it."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from services.common.dapr.sidecar import TransientError
from services.common.logs import get_logger
from services.common.records import BadCursorError, Slice
from services.common.storage.documents import Documents, Stored
from services.common.storage.index_reader import IndexReader
from services.common.web.stream_slots import StreamSlots
from services.notifications.store import FEED

log = get_logger(__name__)

_COALESCE = 0.2
_RETRY_MILLISECONDS = 1000
_LOOK_EVERY = 1.0
"""Seconds: so often a stream looks whether it is still wanted; its place is needed by others."""


@dataclass(frozen=True)
class StreamSettings:
    """What bounds the streams.

    `limit` streams may be open at once. In seconds: the store is read every `poll`, a stream quiet for
    `keep_alive` says that it lives, and ends after `lifetime`.
    """

    limit: int
    poll: float
    keep_alive: float
    lifetime: float


class _Reading:
    """The store as it was read at one moment: each document is loaded once, however many streams ask.

    A cursor made from a reading is good for that reading and all later ones, not for earlier ones.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._loading = threading.Lock()
        self._loaded: dict[str, Stored | None] = {}

    def load(self, key: str) -> Stored | None:
        return self.load_many([key]).get(key)

    def load_many(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        with self._loading:
            missing = [key for key in keys if key not in self._loaded]
            found = self._documents.load_many(missing)
            self._loaded.update({key: found.get(key) for key in missing})
            return {key: hit for key in keys if (hit := self._loaded[key]) is not None}

    def save(self, key: str, data: bytes, etag: str | None, ttl: int | None = None) -> None:
        self._documents.save(key, data, etag, ttl)


class _Readings:
    """Gives all streams the same reading: a new one when something was stored here, else once per poll."""

    def __init__(self, documents: Documents, poll: float) -> None:
        self._documents, self._poll = documents, poll
        self._changed = threading.Condition()
        self._current = _Reading(documents)
        self._read_at = float("-inf")
        self._stored = False
        self._ended = False

    def fresh(self) -> _Reading:
        """Return a reading that begins now."""
        with self._changed:
            return self._renew()

    def after(self, seen: _Reading, wait: float) -> _Reading | None:
        """Wait for a later reading than `seen`, for so many seconds at most; None once there are no more."""
        until = time.monotonic() + wait
        with self._changed:
            while self._current is seen and not self._ended and (left := until - time.monotonic()) > 0:
                # Events that come in a burst are read together: not each of them may wake every stream.
                due = self._read_at + (min(_COALESCE, self._poll) if self._stored else self._poll)
                if (early := due - time.monotonic()) > 0:
                    self._changed.wait(min(early, left))
                else:
                    self._renew()
            return None if self._ended else self._current

    def end(self) -> None:
        """Give no more readings."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def stored(self) -> None:
        """Say that the feed has something new."""
        with self._changed:
            if not self._stored:
                self._stored = True
                self._changed.notify_all()

    def _renew(self) -> _Reading:
        self._current, self._read_at, self._stored = _Reading(self._documents), time.monotonic(), False
        self._changed.notify_all()
        return self._current


class EventStreams:
    """Opens streams of server-sent events, a bounded number at once."""

    def __init__(self, documents: Documents, settings: StreamSettings) -> None:
        self._settings = settings
        self._readings = _Readings(documents, settings.poll)
        self._places = StreamSlots(settings.limit, "streams")

    def stored(self) -> None:
        """Wake the streams: an event was kept by this process."""
        self._readings.stored()

    def end(self) -> None:
        """End all streams and those that are opened from now on; a client resumes elsewhere, or here when it can."""
        self._readings.end()

    def open(
        self,
        last_event_id: str | None,
        order_id: str | None,
        gone: Callable[[], bool] = lambda: False,
        who: str | None = None,
    ) -> "EventStream":
        """Open a stream behind `last_event_id`, or behind the newest event where that is missing or unknown.

        It ends when its client is `gone`. The caller closes it. Raises the problem 503 when too many are open, 429
        when too many are for `who`, and TransientError.
        """
        self._places.acquire(who)
        try:
            reading = self._readings.fresh()
            cursor = _start(reading, last_event_id)
        except BaseException:
            self._places.release(who)
            raise
        leave = partial(self._places.release, who)
        return EventStream(self._readings, self._settings, _Start(reading, cursor), order_id, gone, leave)


@dataclass(frozen=True)
class _Start:
    """Where a stream begins."""

    reading: _Reading
    cursor: str


class EventStream:
    """One stream; iterating gives its text piece by piece, for as long as a stream may live."""

    def __init__(
        self,
        readings: _Readings,
        settings: StreamSettings,
        start: _Start,
        order_id: str | None,
        gone: Callable[[], bool],
        leave: Callable[[], None],
    ) -> None:
        self._readings, self._settings, self._order_id = readings, settings, order_id
        self._reading, self._cursor = start.reading, start.cursor
        self._gone, self._leave = gone, leave
        self._closing = threading.Lock()
        self._closed = False

    def __iter__(self) -> Iterator[str]:
        ends = time.monotonic() + self._settings.lifetime
        # A browser remembers an id without data, so even a stream that breaks before its first event resumes.
        yield f"retry: {_RETRY_MILLISECONDS}\nid: {self._cursor}\n\n"
        spoke = time.monotonic()
        seen: _Reading | None = None
        while time.monotonic() < ends and not self._gone():
            if self._reading is not seen:
                for text in self._news():
                    yield text
                    spoke = time.monotonic()
                seen = self._reading
            if time.monotonic() - spoke >= self._settings.keep_alive:
                yield f": still here\nid: {self._cursor}\n\n"
                spoke = time.monotonic()
            if (reading := self._readings.after(self._reading, _LOOK_EVERY)) is None:
                return
            self._reading = reading

    def close(self) -> None:
        """Give the stream's place to another; may be called more than once."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._leave()

    def _news(self) -> Iterator[str]:
        """Give what the current reading has behind the cursor, and move the cursor behind it."""
        while True:
            added = self._follow()
            for entry, self._cursor in zip(added.entries, added.cursors, strict=True):
                if self._order_id in (None, entry.data.get("orderId")):
                    yield f"id: {self._cursor}\nevent: order-event\ndata: {json.dumps(entry.data)}\n\n"
            if added.cursor in (None, self._cursor):
                return
            self._cursor = str(added.cursor)

    def _follow(self) -> Slice:
        reader = IndexReader(self._reading, FEED)
        try:
            return reader.follow(self._cursor)
        except BadCursorError:
            log.warning("the feed is shorter than it was; a stream goes on from its end")
        except TransientError as error:
            log.warning("a stream waits for the state store", extra={"cause": str(error)})
            return Slice([], None)
        try:
            return Slice([], reader.end())
        except TransientError:
            return Slice([], None)


def _start(reading: _Reading, last_event_id: str | None) -> str:
    reader = IndexReader(reading, FEED)
    if last_event_id:
        try:
            reader.follow(last_event_id)
        except BadCursorError:
            return reader.end()
        return last_event_id
    return reader.end()
