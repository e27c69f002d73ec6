"""Refuses, at the door of a service, who sends too much at once, so that what was accepted goes on.

What comes through the sidecar is never refused here: calls of other services for orders that run, deliveries of events.
Requests that were turned away before they got here, as those with a wrong key, are counted apart from the others: a
stranger's flood is refused, and those who have a key at the same address, behind a proxy say, lose nothing by it.
"""

import math
import threading
import time
from collections.abc import Callable

from flask import Flask, Response, g, request
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from services.common.auth.access import DELIVERIES, Caller
from services.common.config import ServiceConfig
from services.common.web.problems import Problem, too_many_requests

_WINDOW = 10
"""Seconds over which the rate is counted: a short burst is no flood."""
_FOR_SUPERVISION = frozenset({"/healthz", "/readyz"})


class _Rate:
    """Counts requests of each client, by the names that it is given."""

    def __init__(self, limit: int) -> None:
        # A moment's memory: what a restart forgets of it does no harm.
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._item = RateLimitItemPerSecond(limit * _WINDOW, _WINDOW)
        self._limit = limit

    def count(self, *client: str) -> None:
        """Count a request. Raises the 429 for one too many."""
        if not self._limiter.hit(self._item, *client):
            seconds = self._limiter.get_window_stats(self._item, *client).reset_time - time.time()
            again = min(max(math.ceil(seconds), 1), _WINDOW)
            raise too_many_requests("rate", f"more than {self._limit} requests a second", again)


class _InFlightRequests:
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
    rate, crowd = _Rate(config.rate_limit), _InFlightRequests()

    @app.before_request
    def _enter() -> None:
        g.let_in = True
        if request.path in _FOR_SUPERVISION or _comes_through_sidecar():
            return
        rate.count(request.remote_addr or "")
        if crowd.size + waiting() >= config.request_limit:
            raise too_many_requests("busy", "too many requests are under way")
        g.in_crowd = True
        crowd.change(1)

    @app.teardown_request
    def _leave(_error: BaseException | None) -> None:
        if g.pop("in_crowd", False):
            crowd.change(-1)

    _throttle_turned_away(app, rate)


def _throttle_turned_away(app: Flask, rate: _Rate) -> None:
    """Have the 429 take the place of the answer where a client sends too much that others turn away before."""

    @app.after_request
    def _count(answer: Response) -> Response:
        if "let_in" in g or _is_call_of_service():
            return answer
        try:
            rate.count(request.remote_addr or "", "turned away")
        except Problem as problem:
            return app.make_response(app.handle_user_exception(problem))
        return answer


def _comes_through_sidecar() -> bool:
    return _is_call_of_service() or ("caller" in g and request.path.startswith(DELIVERIES))


def _is_call_of_service() -> bool:
    # Who calls was found out before; where there is a token, by the token.
    caller: Caller | None = g.get("caller")
    return caller is not None and (caller.by_sidecar or caller.app is not None)
