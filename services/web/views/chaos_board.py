"""Fault injection for the operator: the settings of each service, changes to them, and killing processes."""

import threading
import time
from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple

from pydantic import ConfigDict, Field

from services.common.json_models import Json, Request
from services.common.web.problems import Problem, not_found
from services.web.clients.backend import Backend
from services.web.clients.parallel_calls import Outcome, ParallelCalls

SERVICES = ("orderprocessing", "notifications", "inventory", "billing", "shipping", "fraud")
ALL = "all"

_STALE = 5.0
"""Seconds until a live page reads the settings again."""
_STALE_UNKNOWN = 1.0
"""The same while a service is not responding."""


class ChaosForm(Request):
    """Fault injection settings for `service` or for all; shares in percent."""

    # The form sends text.
    model_config = ConfigDict(strict=False)

    service: Literal["all", "orderprocessing", "notifications", "inventory", "billing", "shipping", "fraud"]
    failures: Annotated[float, Field(ge=0, le=50, allow_inf_nan=False)] = 0.0
    lost_writes: Annotated[float, Field(ge=0, le=20, allow_inf_nan=False)] = 0.0
    crashes_per_minute: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 0.0

    def settings(self) -> Json:
        """Return the request body for the services."""
        return {
            "failures": self.failures / 100,
            "lostWrites": self.lost_writes / 100,
            "crashesPerMinute": self.crashes_per_minute,
        }


class ChaosState(NamedTuple):
    """Fault injection in one service: `state` is on, off, disabled or unknown; shares are from 0 to 1."""

    service: str
    state: str
    failures: float = 0.0
    lost_writes: float = 0.0
    crashes_per_minute: float = 0.0


class ChaosBoard:
    """Caches the settings of the services, because a live page reads them every second."""

    def __init__(self, backend: Backend, calls: ParallelCalls, clock: Callable[[], float] = time.monotonic) -> None:
        self._backend, self._calls, self._clock = backend, calls, clock
        self._refreshing = threading.Lock()
        self._states: list[ChaosState] = []
        self._read_at = 0.0

    def refresh(self) -> list[ChaosState]:
        """Read the settings of every service and return them."""
        outcomes = self._calls.map(self._backend.chaos, SERVICES)
        self._states = [_chaos_state(service, outcome) for service, outcome in zip(SERVICES, outcomes, strict=True)]
        self._read_at = self._clock()
        return self._states

    def current(self) -> list[ChaosState]:
        """Return the cached settings; one request at a time refreshes them when they are stale."""
        if not self._states:
            return self.refresh()
        unknown = any(service.state == "unknown" for service in self._states)
        stale = self._clock() - self._read_at >= (_STALE_UNKNOWN if unknown else _STALE)
        if stale and self._refreshing.acquire(blocking=False):
            try:
                return self.refresh()
            finally:
                self._refreshing.release()
        return self._states

    def change(self, form: ChaosForm) -> str:
        """Change the settings of one service or of all and return a message. Raises a Problem if none was changed."""
        services = SERVICES if form.service == ALL else (form.service,)
        outcomes = self._calls.map(lambda service: self._backend.set_chaos(service, form.settings()), services)
        self.refresh()
        problems = {name: outcome.problem for name, outcome in zip(services, outcomes, strict=True) if outcome.problem}
        changed = [name for name in services if name not in problems]
        if not changed:
            raise next(iter(problems.values()))
        failed = f" Not changed: {', '.join(problems)}." if problems else ""
        return f"Fault injection was changed in {', '.join(changed)}.{failed}"

    def kill(self, service: str) -> None:
        """Crash a process of the service. Raises the problem 404, TransientError and RefusedError."""
        if service not in SERVICES:
            raise not_found("service", service)
        self._backend.crash(service)


def _chaos_state(service: str, outcome: Outcome[Json]) -> ChaosState:
    if outcome.value is None:
        return ChaosState(service, "disabled" if _is_not_found(outcome.problem) else "unknown")
    rates = [float(outcome.value.get(name, 0)) for name in ("failures", "lostWrites", "crashesPerMinute")]
    return ChaosState(service, "on" if any(rates) else "off", *rates)


def _is_not_found(problem: Problem | None) -> bool:
    return problem is not None and problem.status == 404
