"""What is new, for every open page: one ring of messages, which each stream follows at its own pace."""

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

_RING = 5000
_LOOK_EVERY = 1.0
"""Seconds: so often a stream looks whether somebody still listens; its place is needed by others."""
_RETRY_MILLISECONDS = 1000

ORDER_EVENT = "order-event"
"""Something happened to an order: its feed event."""
FIGURES = "figures"
"""The figures of the last second."""
FEED = "feed"
"""Whether the console hears of what happens: `{"connected"}`."""
RESYNC = "resync"
"""Something may have been missed: look again."""


@dataclass(frozen=True)
class Message:
    """One piece of news."""

    name: str
    data: Mapping[str, Any]


class Hub:
    """Hands every message to every stream. Threads may share it.

    `limit` streams may be open at once; in seconds, a stream that was quiet for `keep_alive` says that it lives, and
    ends after `lifetime`, for the browser to open it anew.
    """

    def __init__(self, limit: int, keep_alive: float = 15.0, lifetime: float = 600.0) -> None:
        self._keep_alive, self._lifetime = keep_alive, lifetime
        self._places = StreamSlots(limit, "pages")
        self._changed = threading.Condition()
        self._ring: deque[Message] = deque(maxlen=_RING)
        self._next = 0
        self._name = secrets.token_hex(4)
        self._ended = False
        self._connected = False
        self._watching = 0

    @property
    def watched(self) -> bool:
        """Tell whether a stream is open that wants figures."""
        return self._watching > 0

    @property
    def hearing(self) -> bool:
        """Tell whether the console hears of what happens."""
        return self._connected

    def tell(self, name: str, data: Mapping[str, Any]) -> None:
        """Hand a message to every stream."""
        with self._changed:
            self._ring.append(Message(name, data))
            self._next += 1
            self._changed.notify_all()

    def connected(self, connected: bool) -> None:
        """Note whether the console hears of what happens, and tell when that changes."""
        if connected != self._connected:
            self._connected = connected
            self.tell(FEED, {"connected": connected})

    def end(self) -> None:
        """End all streams."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def open(
        self,
        last_id: str | None,
        order_id: str | None,
        figures: bool,
        gone: Callable[[], bool] = lambda: False,
        hints: bool = False,
        who: str | None = None,
    ) -> "Stream":
        """Open a stream behind the message `last_id`, of one order or of all, with figures or without.

        With `hints` it tells that something happened to an order, but not what and to which.

        It ends when its listener is `gone`. The caller closes it. Raises the problem 503 when too many are open, and
        429 when too many are for `who`.
        """
        self._places.acquire(who)
        if figures:
            with self._changed:
                self._watching += 1
        return Stream(self, last_id, order_id, figures, gone, hints, who)

    def close(self, figures: bool, who: str | None) -> None:
        """Give a stream's place to another."""
        if figures:
            with self._changed:
                self._watching -= 1
        self._places.release(who)

    def position(self, last_id: str | None) -> int | None:
        """Return where to go on behind a message id, at the end without one, None when that is not known any more."""
        if not last_id:
            return self._next
        name, _, number = last_id.partition("-")
        # Bounded: int() raises ValueError for thousands of digits.
        if name != self._name or not re.fullmatch(r"[0-9]{1,15}", number):
            return None
        return int(number) if self._next - len(self._ring) <= int(number) <= self._next else None

    def after(self, position: int, wait: float) -> tuple[list[Message], int, bool]:
        """Wait for what comes at `position` for so long; return it, the next position, and whether anything is missed.

        Raises HubEnded when there will be no more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._next > position or self._ended, wait)
            if self._ended:
                raise HubEnded
            first = self._next - len(self._ring)
            new = list(self._ring)[max(position - first, 0) :] if self._next > position else []
            return new, self._next, position < first

    def id_of(self, position: int) -> str:
        """Return the id by which a stream goes on at a position."""
        return f"{self._name}-{position}"

    def first_words(self) -> Message:
        """Return what each stream says first."""
        return Message(FEED, {"connected": self._connected})

    @property
    def pace(self) -> tuple[float, float]:
        """Return `keep_alive` and `lifetime`."""
        return self._keep_alive, self._lifetime


class HubEnded(Exception):
    """There will be no more messages."""


class Stream:
    """One stream of server-sent events; iterating gives its text, piece by piece."""

    def __init__(
        self,
        hub: Hub,
        last_id: str | None,
        order_id: str | None,
        figures: bool,
        gone: Callable[[], bool],
        hints: bool,
        who: str | None,
    ) -> None:
        self._hub, self._last_id, self._order_id, self._figures = hub, last_id, order_id, figures
        self._gone, self._hints, self._who = gone, hints, who
        self._closing = threading.Lock()
        self._closed = False

    def __iter__(self) -> Iterator[str]:
        keep_alive, lifetime = self._hub.pace
        ends = time.monotonic() + lifetime
        found = self._hub.position(self._last_id)
        position = found if found is not None else self._hub.position(None) or 0
        yield f"retry: {_RETRY_MILLISECONDS}\n" + self._text(self._hub.first_words(), position)
        if found is None:
            yield self._text(Message(RESYNC, {}), position)
        spoke = time.monotonic()
        while time.monotonic() < ends and not self._gone():
            try:
                messages, position, missed = self._hub.after(position, min(keep_alive, _LOOK_EVERY))
            except HubEnded:
                return
            text = self._text(Message(RESYNC, {}), position) if missed else self._told(messages, position)
            if not text and time.monotonic() - spoke >= keep_alive:
                # A page cannot see a comment; by this it knows that the stream lives.
                text = self._text(self._hub.first_words(), position)
            if text:
                yield text
                spoke = time.monotonic()

    def close(self) -> None:
        """Give the stream's place to another; may be called more than once."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._hub.close(self._figures, self._who)

    def _told(self, messages: Sequence[Message], end: int) -> str:
        """Return the text of those messages that are wanted, each with its own id; `end` is behind the last one."""
        numbered = enumerate(messages, end - len(messages) + 1)
        return "".join(self._text(one, position) for position, one in numbered if self._wants(one))

    def _wants(self, message: Message) -> bool:
        if message.name == ORDER_EVENT:
            return self._order_id in (None, message.data.get("orderId"))
        return message.name != FIGURES or self._figures

    def _text(self, message: Message, position: int) -> str:
        data = {} if self._hints and message.name == ORDER_EVENT else message.data
        return f"id: {self._hub.id_of(position)}\nevent: {message.name}\ndata: {json.dumps(data)}\n\n"
