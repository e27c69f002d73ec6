"""Follows the feed of order events, over Dapr service invocation."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from services.common.dapr.sidecar import TransientError
from services.common.logs import get_logger

log = get_logger(__name__)

_RETRY_AFTER = 1.0
_READ_TIMEOUT = 40.0
"""Seconds; the feed sends a keep-alive every 15 seconds."""


class Source(Protocol):
    """The part of the sidecar that the console needs to follow the feed."""

    def follow(
        self, service: str, path: str, headers: Mapping[str, str], timeout: float
    ) -> AbstractContextManager[Iterator[str]]:
        """Open another service's stream and yield its lines. Raises TransientError."""


@dataclass(frozen=True)
class ServerSentEvent:
    """One event of a stream; an event without data only updates the last id."""

    id: str | None
    data: str


def parse_events(lines: Iterable[str]) -> Iterator[ServerSentEvent]:
    """Parse the lines of a stream of server-sent events."""
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
    """Passes each event of the feed to `on_event`, and changes of the connection to `on_connection`.

    After a disconnect it resumes after the last event that it received.
    """

    def __init__(
        self, source: Source, on_event: Callable[[dict[str, Any]], None], on_connection: Callable[[bool], None]
    ) -> None:
        self._source, self._on_event, self._on_connection = source, on_event, on_connection
        self._last_id: str | None = None

    def run(self, stopping: threading.Event, retry_after: float = _RETRY_AFTER) -> None:
        """Follow the feed until `stopping` is set."""
        while not stopping.is_set():
            try:
                self._follow(stopping)
            except TransientError as error:
                self._on_connection(False)
                log.info("the event feed is disconnected", extra={"cause": str(error)})
            except Exception:
                self._on_connection(False)
                log.exception("could not follow the event feed")
            stopping.wait(retry_after)

    def _follow(self, stopping: threading.Event) -> None:
        headers = {"Last-Event-ID": self._last_id} if self._last_id else {}
        with self._source.follow("notifications", "events/stream", headers, _READ_TIMEOUT) as lines:
            self._on_connection(True)
            for event in parse_events(lines):
                if stopping.is_set():
                    return
                if event.data:
                    self._on_event(json.loads(event.data))
                self._last_id = event.id or self._last_id
