"""Waiting for what other threads do."""

import time
from collections.abc import Callable

_WITHIN = 5.0
_PAUSE = 0.002


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until it holds, and fail when it does not within seconds."""
    deadline = time.monotonic() + _WITHIN
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(_PAUSE)


def throughout(seconds: float, holds: Callable[[], bool]) -> None:
    """Fail when it stops holding within these seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert holds(), "it did not stay so"
        time.sleep(_PAUSE)
