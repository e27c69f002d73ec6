"""Refuses, at the door of a service, who sends too much at once, so that what was accepted goes on.

What comes through the sidecar is never refused here: calls of other services for orders that run, deliveries of events.
"""

import math
import threading
import time
from collections.abc import Callable

from flask import Flask, g, request
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from services.common.access import DELIVERIES, Caller
from services.common.config import ServiceConfig
from services.common.problems import too_much

_WINDOW = 10
"""Seconds over which the rate is counted: a short burst is no flood."""
_FOR_SUPERVISION = frozenset({"/healthz", "/readyz"})


class _Crowd:
    """Counts the requests that are being answered."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self.size = 0

    def change(self, by: int) -> None:
        with self._guard:
            self.size += by


def throttle(app: Flask, config: ServiceConfig, waiting: Callable[[], int] = lambda: 0) -> None:
    """Have the application refuse, with 429, clients that send too much, and any client while too much is under way.

    `waiting` tells how many requests wait for a thread. Counts are this process's own.
    """
    # A moment's memory: what a restart forgets of it does no harm.
    limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
    rate = RateLimitItemPerSecond(config.rate_limit * _WINDOW, _WINDOW)
    crowd = _Crowd()

    @app.before_request
    def _enter() -> None:
        if request.path in _FOR_SUPERVISION or _comes_through_sidecar():
            return
        client = request.remote_addr or ""
        if not limiter.hit(rate, client):
            seconds = limiter.get_window_stats(rate, client).reset_time - time.time()
            again = min(max(math.ceil(seconds), 1), _WINDOW)
            raise too_much("rate", f"more than {config.rate_limit} requests a second", again)
        if crowd.size + waiting() >= config.request_limit:
            raise too_much("busy", "too many requests are under way")
        g.in_crowd = True
        crowd.change(1)

    @app.teardown_request
    def _leave(_error: BaseException | None) -> None:
        if g.pop("in_crowd", False):
            crowd.change(-1)


def _comes_through_sidecar() -> bool:
    # Who calls was found out before; where there is a token, by the token.
    caller: Caller | None = g.get("caller")
    return caller is not None and (caller.by_sidecar or caller.app is not None or request.path.startswith(DELIVERIES))
