"""Fakes: small in-memory implementations of the services' dependencies."""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.common.dapr.sidecar import TransientError
from services.common.storage.documents import ConflictError, Stored


class FakeDocuments:
    """An in-memory state store with compare-and-set; writes can be made to fail."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[bytes, int]] = {}
        self.fail_writes_of: Callable[[str], bool] = lambda _key: False
        self.writes = 0
        self._guard = threading.Lock()

    def load(self, key: str) -> Stored | None:
        return self.load_many([key]).get(key)

    def load_many(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        documents = {key: self.kept.get(key) for key in keys}
        return {key: Stored(data[0], str(data[1])) for key, data in documents.items() if data}

    def save(self, key: str, data: bytes, etag: str | None, ttl: int | None = None) -> None:
        if self.fail_writes_of(key):
            raise TransientError(f"injected failure for {key}")
        with self._guard:
            version = self.kept[key][1] if key in self.kept else None
            if (str(version) if version else None) != etag:
                raise ConflictError(key)
            self.kept[key] = (data, (version or 0) + 1)
            self.writes += 1


class FakeClock:
    """A clock that only moves when it is advanced."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class FakeSidecar:
    """Other services and the broker: responds by service, and records calls and published events."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[str, str, Any], dict[str, Any]]] = {}
        self.calls: list[tuple[str, str, str, Any]] = []
        self.published: list[dict[str, Any]] = []
        self.broker_is_up = True

    def invoke(self, service: str, method: str, path: str, body: object = None) -> dict[str, Any]:
        self.calls.append((service, method, path, body))
        if service not in self.answers:
            raise TransientError(f"{service} is down")
        return self.answers[service](method, path, body)

    def publish(self, pubsub: str, topic: str, events: Sequence[dict[str, Any]]) -> None:
        if not self.broker_is_up:
            raise TransientError("the broker is down")
        self.published.extend(events)
