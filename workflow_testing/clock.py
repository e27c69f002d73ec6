"""A clock that moves only when a test or a timer moves it."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """The clock of a tester: the tester sets `now`, in UTC, to the time of the next timer."""

    now: datetime


class VirtualClock:
    """A clock that stands still between two steps of a workflow."""

    def __init__(self, now: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.now = now

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self.now += timedelta(seconds=seconds)
