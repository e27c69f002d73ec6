"""Follows the feed of order events, over Dapr service invocation, and hands each event on."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from services.common.dapr.sidecar import TransientError
from services.common.logs import get_logger

log = get_logger(__name__)

_PAUSE = 1.0
_SILENCE = 40.0
"""The feed says every 15 seconds that it lives."""


class Source(Protocol):
    """The part of the sidecar that is needed here."""

    def follow(
        self, service: str, path: str, headers: Mapping[str, str], silence: float
    ) -> AbstractContextManager[Iterator[str]]:
        """Lend the lines of another service's stream. Raises TransientError."""


@dataclass(frozen=True)
class ServerSentEvent:
    """One event of a stream; without data it only moves the id on."""

    id: str | None
    data: str


def parsed(lines: Iterable[str]) -> Iterator[ServerSentEvent]:
    """Return the events that the lines of a stream of server-sent events are made of."""
    event_id, data = None, list[str]()
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "id":
            event_id = value
        elif field == "data":
            data.append(value)
        elif not line and (event_id is not None or data):
            yield ServerSentEvent(event_id, "\n".join(data))
            event_id, data = None, []


class FeedFollower:
    """Hands each event of the feed to `tell`, and to `connected` whether it follows.

    After a break it goes on behind the event that it has heard last.
    """

    def __init__(
        self, source: Source, tell: Callable[[dict[str, Any]], None], connected: Callable[[bool], None]
    ) -> None:
        self._source, self._tell, self._connected = source, tell, connected
        self._last_id: str | None = None

    def run(self, stopping: threading.Event, pause: float = _PAUSE) -> None:
        """Follow the feed until told to stop."""
        while not stopping.is_set():
            try:
                self._follow(stopping)
            except TransientError as error:
                self._connected(False)
                log.info("the feed is not heard", extra={"cause": str(error)})
            except Exception:
                self._connected(False)
                log.exception("the feed could not be followed")
            stopping.wait(pause)

    def _follow(self, stopping: threading.Event) -> None:
        headers = {"Last-Event-ID": self._last_id} if self._last_id else {}
        with self._source.follow("notifications", "events/stream", headers, _SILENCE) as lines:
            self._connected(True)
            for event in parsed(lines):
                if stopping.is_set():
                    return
                if event.data:
                    self._tell(json.loads(event.data))
                self._last_id = event.id or self._last_id
