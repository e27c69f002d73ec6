"""Timestamps: RFC 3339 in UTC with milliseconds, so that they sort as text in the order of time."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current time in UTC; tests pass their own."""


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """Format a time as `2026-11-21T08:54:14.123Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def moment(text: str) -> datetime:
    """Parse a timestamp that `rfc3339` formatted."""
    return datetime.fromisoformat(text)
