"""State stores that do what crashes, lost answers and other processes do, at a chosen write."""

from collections.abc import Callable

from services.common.dapr.sidecar import TransientError
from tests.fakes import FakeDocuments


class HostileDocuments(FakeDocuments):
    """Counts the writes tried, and at the chosen one crashes, loses the answer, or lets somebody in first."""

    def __init__(self) -> None:
        super().__init__()
        self.tried = 0
        self.crash_at: int | None = None
        self.lose_answer_at: int | None = None
        self.intrude_at: int | None = None
        self.intruder: Callable[[], object] = lambda: None

    def behave(self) -> None:
        """Count from zero again, and do nothing of the kind any more."""
        self.tried = 0
        self.crash_at = self.lose_answer_at = self.intrude_at = None

    def save(self, key: str, data: bytes, etag: str | None, ttl: int | None = None) -> None:
        now, self.tried = self.tried, self.tried + 1
        if self.crash_at is not None and now >= self.crash_at:
            raise TransientError("crashed")
        if now == self.intrude_at:
            self.intrude_at = None  # the intruder writes too
            self.intruder()
        super().save(key, data, etag, ttl)
        if now == self.lose_answer_at:
            raise TransientError("the answer was lost")
