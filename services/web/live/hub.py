"""Publishes messages to every open page: one buffer of messages, which each stream reads at its own speed."""

import json
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.common.web.stream_slots import StreamSlots

_BUFFER_SIZE = 5000
_CHECK_EVERY = 1.0
"""Seconds between a stream's checks that its client is still connected; an abandoned stream must free its slot."""
_RETRY_MILLISECONDS = 1000

ORDER_EVENT = "order-event"
"""An event of an order, from the feed."""
METRICS = "figures"
"""The metrics of the last second."""
FEED = "feed"
"""Whether the console receives the event feed: `{"connected"}`."""
RESYNC = "resync"
"""Messages may be missing: the page has to be fetched again."""


@dataclass(frozen=True)
class Message:
    """A message for the pages."""

    name: str
    data: Mapping[str, Any]


class Hub:
    """Sends every message to every stream. Threads may share it.

    At most `limit` streams are open at once. A stream sends a keep-alive after `keep_alive` seconds without a message,
    and ends after `lifetime` seconds; the browser then reconnects.
    """

    def __init__(self, limit: int, keep_alive: float = 15.0, lifetime: float = 600.0) -> None:
        self.keep_alive, self.lifetime = keep_alive, lifetime
        self._slots = StreamSlots(limit, "pages")
        self._changed = threading.Condition()
        self._messages: deque[Message] = deque(maxlen=_BUFFER_SIZE)
        self._next = 0
        self._name = secrets.token_hex(4)
        self._shut_down = False
        self._connected = False
        self._open_for_metrics: set[Stream] = set()

    @property
    def metrics_wanted(self) -> bool:
        """Whether an open stream receives metrics."""
        return bool(self._open_for_metrics)

    @property
    def connected(self) -> bool:
        """Whether the console receives the event feed."""
        return self._connected

    def publish(self, name: str, data: Mapping[str, Any]) -> None:
        """Send a message to every stream."""
        with self._changed:
            self._messages.append(Message(name, data))
            self._next += 1
            self._changed.notify_all()

    def set_connected(self, connected: bool) -> None:
        """Set whether the console receives the event feed, and publish a change."""
        if connected != self._connected:
            self._connected = connected
            self.publish(FEED, {"connected": connected})

    def shut_down(self) -> None:
        """End all streams."""
        with self._changed:
            self._shut_down = True
            self._changed.notify_all()

    def open(
        self,
        last_id: str | None,
        order_id: str | None,
        metrics: bool,
        disconnected: Callable[[], bool] = lambda: False,
        hints: bool = False,
        user: str | None = None,
    ) -> "Stream":
        """Open a stream after the message `last_id`, of one order or of all, with or without metrics.

        With `hints`, order events are sent without their data. The stream ends when `disconnected` returns true. The
        caller closes it. Raises the problem 503 when too many streams are open, 429 when too many are open for `user`.
        """
        stream = Stream(self, last_id, order_id, metrics, disconnected, hints, self._slots.acquire(user))
        if metrics:
            self._open_for_metrics.add(stream)
        return stream

    def release(self, stream: "Stream") -> None:
        """Free the slot of a stream; may be called more than once."""
        self._open_for_metrics.discard(stream)
        stream.release_slot()

    def position(self, last_id: str | None) -> int | None:
        """Return the position after a message, the end without an id, None when the message is no longer known."""
        if not last_id:
            return self._next
        name, _, number = last_id.partition("-")
        # Bounded: int() raises ValueError for thousands of digits.
        if name != self._name or not re.fullmatch(r"[0-9]{1,15}", number):
            return None
        return int(number) if self._next - len(self._messages) <= int(number) <= self._next else None

    def after(self, position: int, timeout: float) -> tuple[list[Message], int, bool]:
        """Wait for messages after `position`; return them, the next position, and whether any are missing.

        Raises HubShutDown when no more messages will come.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._next > position or self._shut_down, timeout)
            if self._shut_down:
                raise HubShutDown
            first = self._next - len(self._messages)
            new = list(self._messages)[max(position - first, 0) :] if self._next > position else []
            return new, self._next, position < first

    def id_at(self, position: int) -> str:
        """Return the message id with which a stream resumes at a position."""
        return f"{self._name}-{position}"

    def feed_state(self) -> Message:
        """Return the message that starts each stream and serves as its keep-alive."""
        return Message(FEED, {"connected": self._connected})


class HubShutDown(Exception):
    """No more messages will come."""


@dataclass(frozen=True, eq=False)
class Stream:
    """A stream of server-sent events; iterate over it for its text."""

    hub: Hub
    last_id: str | None
    order_id: str | None
    metrics: bool
    disconnected: Callable[[], bool]
    hints: bool
    release_slot: Callable[[], None]

    def __iter__(self) -> Iterator[str]:
        keep_alive, ends = self.hub.keep_alive, time.monotonic() + self.hub.lifetime
        resumed = self.hub.position(self.last_id)
        position = resumed if resumed is not None else self.hub.position(None) or 0
        yield f"retry: {_RETRY_MILLISECONDS}\n" + self._format(self.hub.feed_state(), position)
        if resumed is None:
            yield self._format(Message(RESYNC, {}), position)
        sent_at = time.monotonic()
        while time.monotonic() < ends and not self.disconnected():
            try:
                messages, position, missed = self.hub.after(position, min(keep_alive, _CHECK_EVERY))
            except HubShutDown:
                return
            text = self._format(Message(RESYNC, {}), position) if missed else self._format_all(messages, position)
            if not text and time.monotonic() - sent_at >= keep_alive:
                # Scripts cannot see a comment, so the keep-alive is a message.
                text = self._format(self.hub.feed_state(), position)
            if text:
                yield text
                sent_at = time.monotonic()

    def close(self) -> None:
        """Free the stream's slot; may be called more than once."""
        self.hub.release(self)

    def _format_all(self, messages: Sequence[Message], end: int) -> str:
        """Return the text of the wanted messages, each with its own id; `end` is the position after the last one."""
        numbered = enumerate(messages, end - len(messages) + 1)
        return "".join(self._format(message, position) for position, message in numbered if self._wants(message))

    def _wants(self, message: Message) -> bool:
        if message.name == ORDER_EVENT:
            return self.order_id in (None, message.data.get("orderId"))
        return message.name != METRICS or self.metrics

    def _format(self, message: Message, position: int) -> str:
        data = {} if self.hints and message.name == ORDER_EVENT else message.data
        return f"id: {self.hub.id_at(position)}\nevent: {message.name}\ndata: {json.dumps(data)}\n\n"
