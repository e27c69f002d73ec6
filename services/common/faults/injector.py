"""Fault injection for demonstrations: failing calls and crashing processes. Off unless the configuration allows it.

The faults are those of real systems: a call fails, a call succeeds but its response is lost, a call is executed after
its caller has given up, a write succeeds but its response is lost, a process crashes at any moment. All of them can be
retried, so every order must end as it would without faults.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field

from services.common.config import ServiceConfig
from services.common.dapr.sidecar import TransientError
from services.common.json_models import Request
from services.common.logs import get_logger
from services.common.storage.documents import Documents, Records

log = get_logger(__name__)

R = TypeVar("R")

_KEY = "settings"
_PERIOD = 1.0
_LATE_SECONDS = (0.3, 5.0)
"""Seconds, from and to, after which a late call is executed."""
_MAX_LATE_CALLS = 100
"""How many late calls may wait; further ones are never executed."""
_GRACE_SECONDS = 5.0
"""Seconds after the start in which a process does not crash, so that it becomes ready now and then."""


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


class ChaosSettings(Request):
    """The share of failing calls, the share of writes with a lost response, and crashes per minute; 0 is none."""

    # A misspelled field must be an error, not be ignored. Records use the field names.
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    failures: Annotated[float, BeforeValidator(_number), Field(ge=0, le=0.5)] = 0.0
    lost_writes: Annotated[float, BeforeValidator(_number), Field(ge=0, le=0.2)] = 0.0
    crashes_per_minute: Annotated[float, BeforeValidator(_number), Field(ge=0, le=60)] = 0.0


OFF = ChaosSettings()


class Fault(Enum):
    """The fault of a call: it is not executed, its response is lost, or it is executed too late."""

    BEFORE = "failed before it was executed"
    AFTER = "executed, and the response was lost"
    LATE = "failed, and is executed later"


_CUMULATIVE_SHARES = ((Fault.BEFORE, 0.2), (Fault.AFTER, 0.5), (Fault.LATE, 1.0))
"""The cumulative share of each fault among all faults: 20 %, 30 %, 50 %."""


class FaultInjector:
    """Injects faults in one process. Its settings are stored, so that they survive a crash and reach every replica."""

    def __init__(self, documents: Documents, source: random.Random) -> None:
        self._records = Records(documents, "chaos", ChaosSettings)
        self._random = source
        self._guard = threading.Lock()
        # Serializes access to the store: settings read before a change must not be applied after it.
        self._store_guard = threading.Lock()
        self._late_slots = threading.Semaphore(_MAX_LATE_CALLS)
        self._settings = OFF

    @property
    def settings(self) -> ChaosSettings:
        """The settings that this process applies."""
        return self._settings

    def change(self, settings: ChaosSettings) -> None:
        """Store and apply settings, here at once and in other replicas within seconds. Raises TransientError."""
        with self._store_guard:
            self._records.update(_KEY, lambda before: before if before == settings else settings)
            self._use(settings)

    def refresh(self) -> None:
        """Apply the stored settings; keep the current ones if the store cannot be read."""
        try:
            with self._store_guard:
                self._use(self._records.get(_KEY) or OFF)
        except Exception as error:  # noqa: BLE001 - the thread that refreshes must go on
            log.debug("could not read the fault settings", extra={"cause": str(error)})

    def next_fault(self) -> Fault | None:
        """Return the fault of the next call, or None."""
        failures, drawn = self._settings.failures, self._draw()
        return next((fault for fault, share in _CUMULATIVE_SHARES if drawn < share * failures), None)

    def loses_write(self) -> bool:
        """Return whether the response to the next write is lost."""
        return self._draw() < self._settings.lost_writes

    def call(self, work: Callable[[], R]) -> R:
        """Run `work` with or without a fault. Raises TransientError for a fault."""
        fault = self.next_fault()
        if fault is Fault.AFTER:
            work()
        elif fault is Fault.LATE:
            self.run_late(work)
        if fault is not None:
            raise TransientError(f"fault injection: {fault.value}")
        return work()

    def run_late(self, work: Callable[[], object]) -> None:
        """Run `work` after a random delay; its result is dropped."""
        if not self._late_slots.acquire(blocking=False):
            return
        with self._guard:
            delay = self._random.uniform(*_LATE_SECONDS)
        timer = threading.Timer(delay, self._run_ignoring_errors, (work,))
        timer.daemon = True
        timer.start()

    def tick(self, pause: Callable[[float], None], die: Callable[[], None]) -> None:
        """Refresh the settings, then wait one second, or crash at a random moment of it."""
        self.refresh()
        rate = self._settings.crashes_per_minute / 60
        # An exponential distribution has no memory, so drawing for one second at a time changes nothing.
        with self._guard:
            moment = self._random.expovariate(rate) if rate else _PERIOD
        pause(min(moment, _PERIOD))
        if moment < _PERIOD and self._settings.crashes_per_minute:
            log.warning("fault injection: the process crashes")
            die()

    def _run_ignoring_errors(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the caller has already received a failure
            log.info("fault injection: a late call failed", extra={"cause": repr(error)})
        finally:
            self._late_slots.release()

    def _draw(self) -> float:
        with self._guard:
            return self._random.random()

    def _use(self, settings: ChaosSettings) -> None:
        with self._guard:
            before, self._settings = self._settings, settings
        if settings == before:
            return
        if settings == OFF:
            log.info("fault injection is off")
        else:
            log.warning("fault injection is on", extra=settings.to_json())


def die() -> None:
    """End the process as a crash does: at once and without cleanup."""
    os.kill(os.getpid(), signal.SIGKILL)


def enable(config: ServiceConfig, documents: Documents, die: Callable[[], None] = die) -> FaultInjector | None:
    """Start fault injection in this process and return it, or None where the configuration does not allow it."""
    if not config.chaos_enabled:
        return None
    log.warning("fault injection is enabled: PUT /chaos turns it on")
    chaos = FaultInjector(documents, random.Random())  # noqa: S311 - not for security

    def run() -> None:
        chaos.refresh()
        time.sleep(_GRACE_SECONDS)
        while True:
            chaos.tick(time.sleep, die)

    threading.Thread(target=run, name="chaos", daemon=True).start()
    return chaos
