"""The live stream: every open stream follows the feed, and all streams share the documents that were read."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.common.dapr.sidecar import TransientError
from services.common.logs import get_logger
from services.common.records import BadCursorError, Slice
from services.common.storage.documents import Documents, Stored
from services.common.storage.index_reader import IndexReader
from services.common.web.stream_slots import StreamSlots
from services.notifications.store import FEED

log = get_logger(__name__)

_COALESCE_SECONDS = 0.2
_RETRY_MILLISECONDS = 1000
_CHECK_SECONDS = 1.0
"""Seconds between two checks whether the client is still connected, so that the slot is released soon."""


@dataclass(frozen=True)
class StreamSettings:
    """The limits of streams.

    At most `limit` streams are open. All other values are seconds: the store is read every `poll`, a stream sends a
    comment after `keep_alive` without an event, and it ends after `lifetime`.
    """

    limit: int
    poll: float
    keep_alive: float
    lifetime: float


class _Snapshot:
    """A snapshot of the store: each document is loaded once for all streams.

    A cursor from a snapshot is valid for that snapshot and all later ones, not for earlier ones.
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
            documents = self._documents.load_many(missing)
            self._loaded.update({key: documents.get(key) for key in missing})
            return {key: document for key in keys if (document := self._loaded[key]) is not None}

    def save(self, key: str, data: bytes, etag: str | None, ttl: int | None = None) -> None:
        self._documents.save(key, data, etag, ttl)


class _Snapshots:
    """Provides all streams with the same snapshot; takes a new one after an event was stored here, or once per poll."""

    def __init__(self, documents: Documents, poll: float) -> None:
        self._documents, self._poll = documents, poll
        self._changed = threading.Condition()
        self._current = _Snapshot(documents)
        self._read_at = float("-inf")
        self._has_new_events = False
        self._closed = False

    def fresh(self) -> _Snapshot:
        """Return a new snapshot."""
        with self._changed:
            return self._renew()

    def after(self, seen: _Snapshot, timeout: float) -> _Snapshot | None:
        """Wait at most `timeout` seconds for a snapshot after `seen` and return the current one; None after `close`."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._current is seen and not self._closed and (remaining := deadline - time.monotonic()) > 0:
                # Events of a burst are read together, so that not each of them wakes every stream.
                due = self._read_at + (min(_COALESCE_SECONDS, self._poll) if self._has_new_events else self._poll)
                if (until_due := due - time.monotonic()) > 0:
                    self._changed.wait(min(until_due, remaining))
                else:
                    self._renew()
            return None if self._closed else self._current

    def close(self) -> None:
        """End all streams: provide no more snapshots."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def stored(self) -> None:
        """Note that an event was stored."""
        with self._changed:
            if not self._has_new_events:
                self._has_new_events = True
                self._changed.notify_all()

    def _renew(self) -> _Snapshot:
        self._current, self._read_at, self._has_new_events = _Snapshot(self._documents), time.monotonic(), False
        self._changed.notify_all()
        return self._current


class EventStreams:
    """Opens streams of server-sent events, up to a limit."""

    def __init__(self, documents: Documents, settings: StreamSettings) -> None:
        self._settings = settings
        self._snapshots = _Snapshots(documents, settings.poll)
        self._slots = StreamSlots(settings.limit, "streams")

    def stored(self) -> None:
        """Wake the streams after this process has stored an event."""
        self._snapshots.stored()

    def close(self) -> None:
        """End all streams, also those opened from now on; clients reconnect to another replica or process."""
        self._snapshots.close()

    def open(
        self,
        last_event_id: str | None,
        order_id: str | None,
        gone: Callable[[], bool] = lambda: False,
        who: str | None = None,
    ) -> "EventStream":
        """Open a stream after `last_event_id`, or after the newest event if that is missing or unknown.

        It ends when `gone` returns True. The caller closes it. Raises the problem 503 when too many streams are open,
        429 when too many are open for the person `who`, and TransientError.
        """
        release = self._slots.acquire(who)
        try:
            snapshot = self._snapshots.fresh()
            cursor = _start(snapshot, last_event_id)
        except BaseException:
            release()
            raise
        return EventStream(self._snapshots, self._settings, snapshot, cursor, order_id, gone, release)


@dataclass
class EventStream:
    """One stream: an iterator of text chunks, from a snapshot and a cursor on, that ends after its lifetime."""

    _snapshots: _Snapshots
    _settings: StreamSettings
    _snapshot: _Snapshot
    _cursor: str
    _order_id: str | None
    _gone: Callable[[], bool]
    _release: Callable[[], None]

    def __iter__(self) -> Iterator[str]:
        deadline = time.monotonic() + self._settings.lifetime
        # A browser remembers an id without data, so a stream that breaks before its first event resumes too.
        yield f"retry: {_RETRY_MILLISECONDS}\nid: {self._cursor}\n\n"
        sent_at = time.monotonic()
        seen: _Snapshot | None = None
        while time.monotonic() < deadline and not self._gone():
            if self._snapshot is not seen:
                for text in self._new_events():
                    yield text
                    sent_at = time.monotonic()
                seen = self._snapshot
            if time.monotonic() - sent_at >= self._settings.keep_alive:
                yield f": still here\nid: {self._cursor}\n\n"
                sent_at = time.monotonic()
            if (snapshot := self._snapshots.after(self._snapshot, _CHECK_SECONDS)) is None:
                return
            self._snapshot = snapshot

    def close(self) -> None:
        """Release the stream's slot; may be called more than once."""
        self._release()

    def _new_events(self) -> Iterator[str]:
        """Yield the events of the current snapshot after the cursor, and move the cursor."""
        while True:
            added = self._follow()
            for entry, self._cursor in zip(added.entries, added.cursors, strict=True):
                if self._order_id in (None, entry.data.get("orderId")):
                    yield f"id: {self._cursor}\nevent: order-event\ndata: {json.dumps(entry.data)}\n\n"
            if added.cursor in (None, self._cursor):
                return
            self._cursor = str(added.cursor)

    def _follow(self) -> Slice:
        reader = IndexReader(self._snapshot, FEED)
        try:
            return reader.follow(self._cursor)
        except BadCursorError:
            log.warning("the feed was emptied; a stream continues from its end")
        except TransientError as error:
            log.warning("a stream is waiting for the state store", extra={"cause": str(error)})
            return Slice([], None)
        try:
            return Slice([], reader.end())
        except TransientError:
            return Slice([], None)


def _start(snapshot: _Snapshot, last_event_id: str | None) -> str:
    reader = IndexReader(snapshot, FEED)
    if last_event_id:
        try:
            reader.follow(last_event_id)
        except BadCursorError:
            return reader.end()
        return last_event_id
    return reader.end()
