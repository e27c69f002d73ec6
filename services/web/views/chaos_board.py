"""Chaos as the operator sees it: in which services it is possible, how much there is, and who is killed."""

import threading
import time
from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple

from pydantic import ConfigDict, Field

from services.common.json_models import Json, Request
from services.common.web.problems import Problem, not_found
from services.web.clients.backend import Backend
from services.web.clients.parallel_calls import Outcome, SideBySide

SERVICES = ("orderprocessing", "notifications", "inventory", "billing", "shipping", "fraud")
ALL = "all"

_STALE = 5.0
"""Seconds: after so long a page that is live looks again."""
_STALE_UNKNOWN = 1.0
"""Seconds: the same while somebody did not answer."""


class ChaosForm(Request):
    """How much chaos there is to be, in `service` or in all; shares in percent."""

    # It comes from a form, where everything is text.
    model_config = ConfigDict(strict=False)

    service: Literal["all", "orderprocessing", "notifications", "inventory", "billing", "shipping", "fraud"]
    failures: Annotated[float, Field(ge=0, le=50, allow_inf_nan=False)] = 0.0
    lost_writes: Annotated[float, Field(ge=0, le=20, allow_inf_nan=False)] = 0.0
    crashes_per_minute: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 0.0

    def settings(self) -> Json:
        """Return what the services are told."""
        return {
            "failures": self.failures / 100,
            "lostWrites": self.lost_writes / 100,
            "crashesPerMinute": self.crashes_per_minute,
        }


class ChaosState(NamedTuple):
    """FaultInjector in one service: `state` is on, off, disabled or unknown; shares from 0 to 1."""

    service: str
    state: str
    failures: float = 0.0
    lost_writes: float = 0.0
    crashes_per_minute: float = 0.0


class ChaosBoard:
    """Remembers what the services said last, because a page that is live looks every second."""

    def __init__(self, backend: Backend, calls: SideBySide, clock: Callable[[], float] = time.monotonic) -> None:
        self._backend, self._calls, self._clock = backend, calls, clock
        self._looking = threading.Lock()
        self._seen: list[ChaosState] = []
        self._seen_at = 0.0

    def look(self) -> list[ChaosState]:
        """Ask every service, and return what they say."""
        outcomes = self._calls.each(self._backend.chaos, SERVICES)
        self._seen = [_unrest(service, outcome) for service, outcome in zip(SERVICES, outcomes, strict=True)]
        self._seen_at = self._clock()
        return self._seen

    def seen(self) -> list[ChaosState]:
        """Return what the services said a moment ago; one page at a time asks again when that is stale."""
        if not self._seen:
            return self.look()
        unknown = any(one.state == "unknown" for one in self._seen)
        stale = self._clock() - self._seen_at >= (_STALE_UNKNOWN if unknown else _STALE)
        if stale and self._looking.acquire(blocking=False):
            try:
                return self.look()
            finally:
                self._looking.release()
        return self._seen

    def change(self, form: ChaosForm) -> str:
        """Set the chaos, in all services that allow it or in one, and return a sentence about it. Raises a Problem."""
        services = SERVICES if form.service == ALL else (form.service,)
        outcomes = self._calls.each(lambda service: self._backend.set_chaos(service, form.settings()), services)
        self.look()
        failed = {name: one.problem for name, one in zip(services, outcomes, strict=True) if one.problem is not None}
        reached = [name for name in services if name not in failed]
        if not reached:
            raise next(iter(failed.values()))
        missed = f" Not reached: {', '.join(failed)}." if failed else ""
        return f"Chaos is set in {', '.join(reached)}.{missed}"

    def kill(self, service: str) -> None:
        """Have a process of the service die. Raises the 404, TransientError and RefusedError."""
        if service not in SERVICES:
            raise not_found("service", service)
        self._backend.crash(service)


def _unrest(service: str, outcome: Outcome[Json]) -> ChaosState:
    if outcome.value is None:
        return ChaosState(service, "disabled" if _not_there(outcome.problem) else "unknown")
    rates = [float(outcome.value.get(name, 0)) for name in ("failures", "lostWrites", "crashesPerMinute")]
    return ChaosState(service, "on" if any(rates) else "off", *rates)


def _not_there(problem: Problem | None) -> bool:
    return problem is not None and problem.status == 404
