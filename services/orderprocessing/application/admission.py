"""Rejects new orders while the backlog is full, so that accepted orders are processed in time."""

import threading
import time
from collections.abc import Callable
from logging import DEBUG, INFO

from services.common.dapr.sidecar import TransientError
from services.common.errors import OverloadedError
from services.common.logs import get_logger

log = get_logger(__name__)

_REFRESH_INTERVAL = 1.0
_PAUSE_FACTOR = 20
"""A pause is at least twenty times as long as the count before it, whose cost grows with the number of open orders."""
_RETRY_AFTER = 10


class Backlog:
    """Knows, a few seconds late at most, whether too many orders wait for the system. Threads may share it.

    `count` gets the limit and returns the number of waiting orders, exact up to the limit. Raises TransientError.
    """

    def __init__(self, count: Callable[[int], int], limit: int) -> None:
        self._count, self._limit = count, limit
        self._full, self._known = False, True

    def check(self) -> None:
        """Raise OverloadedError while the backlog is full."""
        if self._full:
            raise OverloadedError("backlog", "too many orders are waiting, try again later", _RETRY_AFTER)

    def refresh(self) -> float:
        """Count again; return in how many seconds to repeat that. After an error the last count stays valid."""
        began = time.monotonic()
        try:
            waiting = self._count(self._limit)
        except TransientError as error:
            # Once: the outage reporter logs the cause.
            log.log(INFO if self._known else DEBUG, "could not count the backlog", extra={"cause": str(error)})
            self._known = False
            return _REFRESH_INTERVAL
        self._known = True
        full = waiting >= self._limit
        if full != self._full:
            log.warning(
                "rejecting new orders: the backlog is full" if full else "accepting new orders again",
                extra={"backlog": waiting},
            )
        self._full = full
        return max(_REFRESH_INTERVAL, _PAUSE_FACTOR * (time.monotonic() - began))

    def run(self, stopping: threading.Event) -> None:
        """Refresh the count until `stopping` is set."""
        pause = 0.0
        while not stopping.wait(pause):
            try:
                pause = self.refresh()
            except Exception:
                log.exception("counting the backlog failed")
                pause = _REFRESH_INTERVAL


def run_in_background(backlog: Backlog, stopping: threading.Event) -> None:
    """Refresh the count in the background until `stopping` is set."""
    threading.Thread(target=backlog.run, args=(stopping,), name="backlog", daemon=True).start()
