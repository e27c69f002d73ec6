"""Drives the reconciler in the background: its rounds, and between them its follow-ups."""

import threading
import time
from datetime import datetime
from logging import DEBUG, WARNING
from typing import Protocol

from services.common.clock import utc_now
from services.common.dapr.sidecar import TransientError
from services.common.logs import get_logger

log = get_logger(__name__)

_RETRY = 1.0
_SHARE = 10
"""Of the time, in tenths: at most one is spent on reading a long backlog."""


class Scanner(Protocol):
    """A reconciler as the background thread drives it."""

    def scan(self, now: datetime) -> int:
        """Go through everything."""

    def follow_up(self, now: datetime) -> int:
        """Look again at what was too young."""

    def follow_up_in(self) -> float | None:
        """Return in how many seconds to do so, None for never."""


def run_in_background(reconciler: Scanner, interval: float, stop: threading.Event) -> threading.Thread:
    """Reconcile at once and then every `interval` seconds until `stop` is set; soon again when nothing answers.

    Where the backlog is so long that a round takes long, rounds in which nothing was to be mended are followed by a
    longer pause, as are follow-ups: they take a tenth of the time at most.
    """

    def loop() -> None:
        due, silent = time.monotonic(), False
        while not stop.is_set():
            began, following = time.monotonic(), 0.0
            try:
                if began >= due:
                    mended = reconciler.scan(utc_now())
                    took = time.monotonic() - began
                    due = time.monotonic() + (interval if mended else max(interval, _SHARE * took))
                else:
                    reconciler.follow_up(utc_now())
                    following = _SHARE * (time.monotonic() - began)
                silent = False
            except TransientError as error:
                log.log(DEBUG if silent else WARNING, "reconciling comes later", extra={"cause": str(error)})
                silent = True
                due = time.monotonic() + min(interval, max(_RETRY, _SHARE * (time.monotonic() - began)))
            except Exception:
                log.exception("reconciling failed")
                due = time.monotonic() + interval
            pause, soon = due - time.monotonic(), reconciler.follow_up_in()
            if soon is not None:
                pause = min(pause, max(soon, following))
            stop.wait(max(0.0, pause))

    thread = threading.Thread(target=loop, name="reconciler", daemon=True)
    thread.start()
    return thread
