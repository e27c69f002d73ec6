"""Rate limiting and load shedding: rejects requests of clients that send too much, so that accepted orders go on.

Requests through the sidecar are never rejected here: calls of other services for running orders, and event deliveries.
Requests that were already rejected, for example for a wrong API key, are counted separately. So a flood of them is
limited without affecting clients with a valid key at the same address, for example behind a proxy.
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

_WINDOW_SECONDS = 10
"""The window of the rate limit; it allows short bursts."""
_PROBE_PATHS = frozenset({"/healthz", "/readyz"})


class _Rate:
    """Counts the requests of each client."""

    def __init__(self, limit: int) -> None:
        # In memory only: losing the counts in a restart does no harm.
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._item = RateLimitItemPerSecond(limit * _WINDOW_SECONDS, _WINDOW_SECONDS)
        self._limit = limit
        # The library starts a timer in two steps, so a concurrent call may start the same one again, which is an error.
        self._guard = threading.Lock()

    def count(self, *client: str) -> None:
        """Count a request. Raises the 429 above the limit."""
        with self._guard:
            accepted = self._limiter.hit(self._item, *client)
        if not accepted:
            seconds = self._limiter.get_window_stats(self._item, *client).reset_time - time.time()
            retry_after = min(max(math.ceil(seconds), 1), _WINDOW_SECONDS)
            raise too_many_requests("rate", f"more than {self._limit} requests a second", retry_after)


class _InFlightRequests:
    """Counts the requests that are being handled."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self.size = 0

    def change(self, by: int) -> None:
        with self._guard:
            self.size += by


def throttle(app: Flask, config: ServiceConfig, waiting: Callable[[], int] = lambda: 0) -> None:
    """Make the application respond with 429 to clients above the rate limit, and to all while it is overloaded.

    `waiting` returns the number of requests that wait for a thread. Each process counts its own requests.
    """
    rate, in_flight = _Rate(config.rate_limit), _InFlightRequests()

    @app.before_request
    def _enter() -> None:
        g.passed_access_check = True
        if request.path in _PROBE_PATHS or _comes_through_sidecar():
            return
        rate.count(request.remote_addr or "")
        if in_flight.size + waiting() >= config.request_limit:
            raise too_many_requests("busy", "too many requests are in flight")
        g.in_flight = True
        in_flight.change(1)

    @app.teardown_request
    def _leave(_error: BaseException | None) -> None:
        if g.pop("in_flight", False):
            in_flight.change(-1)

    _throttle_rejected(app, rate)


def _throttle_rejected(app: Flask, rate: _Rate) -> None:
    """Replace the response with a 429 for clients that send too many requests that earlier checks reject."""

    @app.after_request
    def _count(response: Response) -> Response:
        if "passed_access_check" in g or _is_call_of_service():
            return response
        try:
            rate.count(request.remote_addr or "", "rejected")
        except Problem as problem:
            return app.make_response(app.handle_user_exception(problem))
        return response


def _comes_through_sidecar() -> bool:
    return _is_call_of_service() or ("caller" in g and request.path.startswith(DELIVERIES))


def _is_call_of_service() -> bool:
    # The access check has identified the caller before, by the token where there is one.
    caller: Caller | None = g.get("caller")
    return caller is not None and (caller.by_sidecar or caller.app is not None)
