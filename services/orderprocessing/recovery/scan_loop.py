"""Runs the reconciler in the background: full scans, and follow-ups between them."""

import threading
import time
from collections.abc import Callable
from datetime import datetime
from logging import DEBUG, WARNING
from typing import Protocol

from services.common.clock import utc_now
from services.common.dapr.sidecar import TransientError
from services.common.logs import get_logger

log = get_logger(__name__)

_RETRY = 1.0
_LEADER_CHECK = 2.0
"""Seconds between two checks of a process that does not lead."""
_PAUSE_FACTOR = 10
"""A pause is at least ten times as long as the scan before it, so that reading a long backlog takes a tenth of the
time at most."""


class Scanner(Protocol):
    """A reconciler, as the background thread runs it."""

    def scan(self, now: datetime) -> int:
        """Check all open orders and shipments."""

    def follow_up(self, now: datetime) -> int:
        """Check the orders again for which the last scan came too early."""

    def follow_up_in(self) -> float | None:
        """Return in how many seconds the follow-up is due, None without one."""


def run_in_background(
    reconciler: Scanner, interval: float, stop: threading.Event, leads: Callable[[], bool] = lambda: True
) -> threading.Thread:
    """Scan at once and then every `interval` seconds until `stop` is set, and sooner after a transient error.

    A scan that takes long is followed by a longer pause unless it repaired something, and so is a follow-up. A process
    scans only while it `leads` the others, which may raise TransientError.
    """

    def loop() -> None:
        due, unavailable = time.monotonic(), False
        while not stop.is_set():
            began, follow_up_pause = time.monotonic(), 0.0
            try:
                if not leads():
                    due = time.monotonic() + _LEADER_CHECK
                elif began >= due:
                    repairs = reconciler.scan(utc_now())
                    duration = time.monotonic() - began
                    due = time.monotonic() + (interval if repairs else max(interval, _PAUSE_FACTOR * duration))
                else:
                    reconciler.follow_up(utc_now())
                    follow_up_pause = _PAUSE_FACTOR * (time.monotonic() - began)
                unavailable = False
            except TransientError as error:
                log.log(DEBUG if unavailable else WARNING, "the reconciler will retry", extra={"cause": str(error)})
                unavailable = True
                due = time.monotonic() + min(interval, max(_RETRY, _PAUSE_FACTOR * (time.monotonic() - began)))
            except Exception:
                log.exception("the reconciler failed")
                due = time.monotonic() + interval
            pause, follow_up_in = due - time.monotonic(), reconciler.follow_up_in()
            if follow_up_in is not None:
                pause = min(pause, max(follow_up_in, follow_up_pause))
            stop.wait(max(0.0, pause))

    thread = threading.Thread(target=loop, name="reconciler", daemon=True)
    thread.start()
    return thread
