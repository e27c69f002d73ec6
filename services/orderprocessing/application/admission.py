"""Refuses new orders while too many accepted ones wait for the system, so that those are taken to their end in time."""

import threading
import time
from collections.abc import Callable
from logging import DEBUG, INFO

from services.common.dapr.sidecar import TransientError
from services.common.errors import OverloadedError
from services.common.logs import get_logger

log = get_logger(__name__)

_LOOK_EVERY = 1.0
_SHARE = 20
"""Of the time: no more than one part is spent on looking, which costs more the more orders are open."""
_RETRY_AFTER = 10


class Backlog:
    """Knows, to within seconds, whether there are too many orders that wait for the system; threads may share it.

    `count` is given the limit and returns how many wait, exactly only from the limit on; it raises TransientError.
    """

    def __init__(self, count: Callable[[int], int], limit: int) -> None:
        self._count, self._limit = count, limit
        self._full, self._known = False, True

    def check(self) -> None:
        """Raise the problem 429 while no new order should be accepted."""
        if self._full:
            raise OverloadedError("backlog", "too many orders wait for their turn, try again later", _RETRY_AFTER)

    def look(self) -> float:
        """Count anew; return after how many seconds to look again. What cannot be counted right now stays as it was."""
        began = time.monotonic()
        try:
            waiting = self._count(self._limit)
        except TransientError as error:
            # ExactlyOnceUpdater: what is missing, the outage reporter says.
            log.log(INFO if self._known else DEBUG, "the backlog is not known", extra={"cause": str(error)})
            self._known = False
            return _LOOK_EVERY
        self._known = True
        full = waiting >= self._limit
        if full != self._full:
            log.warning(
                "new orders are refused" if full else "new orders are accepted again", extra={"backlog": waiting}
            )
        self._full = full
        return max(_LOOK_EVERY, _SHARE * (time.monotonic() - began))

    def run(self, stopping: threading.Event) -> None:
        """Look again and again, until told to stop."""
        pause = 0.0
        while not stopping.wait(pause):
            try:
                pause = self.look()
            except Exception:
                log.exception("the backlog could not be counted")
                pause = _LOOK_EVERY


def run_in_background(backlog: Backlog, stopping: threading.Event) -> None:
    """Keep the backlog known, until told to stop."""
    threading.Thread(target=backlog.run, args=(stopping,), name="backlog", daemon=True).start()
