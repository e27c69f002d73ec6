"""A state store that simulates a crash, a lost response or a concurrent writer at a chosen write."""

from collections.abc import Callable

from services.common.dapr.sidecar import TransientError
from tests.fakes import FakeDocuments


class UnreliableDocuments(FakeDocuments):
    """Counts attempted writes; at the chosen one it crashes, loses the response, or runs a concurrent write first."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts = 0
        self.crash_at: int | None = None
        self.lose_response_at: int | None = None
        self.interleave_at: int | None = None
        self.concurrent_write: Callable[[], object] = lambda: None

    def reset(self) -> None:
        """Reset the count and inject no more faults."""
        self.attempts = 0
        self.crash_at = self.lose_response_at = self.interleave_at = None

    def save(self, key: str, data: bytes, etag: str | None, ttl: int | None = None) -> None:
        now, self.attempts = self.attempts, self.attempts + 1
        if self.crash_at is not None and now >= self.crash_at:
            raise TransientError("crashed")
        if now == self.interleave_at:
            self.interleave_at = None  # the concurrent write calls this method too
            self.concurrent_write()
        super().save(key, data, etag, ttl)
        if now == self.lose_response_at:
            raise TransientError("the response was lost")
