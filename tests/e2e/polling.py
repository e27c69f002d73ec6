"""Polling with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 45.0
"""Seconds. Much longer than any expected wait, because the machine may be busy."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.4


def eventually(look: Callable[[], T], seconds: float = PATIENCE) -> T:
    """Return the first true result of `look`. An AssertionError in it means "not yet".

    Raises AssertionError with the last failure or result at the timeout.
    """
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while True:
        try:
            found = look()
            last: object = found
        except AssertionError as error:
            found, last = None, error
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {last}")
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def holds(check: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until `check` raises no AssertionError."""
    eventually(lambda: (check(), True)[1], seconds)


def stays(look: Callable[[], T], seconds: float) -> None:
    """Check that a value, once it is stable, does not change for `seconds`. Raises AssertionError."""
    eventually(lambda: _unchanged(look, 1.0))
    before = look()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert look() == before
        time.sleep(_LONGEST_PAUSE)


def _unchanged(look: Callable[[], object], seconds: float) -> bool:
    before = look()
    time.sleep(seconds)
    return look() == before
