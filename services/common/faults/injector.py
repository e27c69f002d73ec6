"""Chaos on demand, for demonstrations: calls that fail, processes that die. Off unless the configuration allows it.

What fails here is what fails in the field: a call is refused, it acts and its answer is lost, or it is carried out when
whoever asked has given it up; a write is done and its answer lost; a process ends in the middle of anything. All of it
may be tried again, so orders must end as if nothing had happened.
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
"""Seconds after which a late call is carried out."""
_MAX_LATE_CALLS = 100
"""So many calls wait to be carried out late; beyond that a call is not carried out at all."""
_GRACE_SECONDS = 5.0
"""Seconds at the start in which a process does not die: it must get as far as being up, now and then."""


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


class ChaosSettings(Request):
    """How much chaos there is: shares of calls that fail and of writes whose answer is lost, and deaths; 0 is none."""

    # A switch with a typing error must not look as if it had been turned; records have the fields' own names.
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    failures: Annotated[float, BeforeValidator(_number), Field(ge=0, le=0.5)] = 0.0
    lost_writes: Annotated[float, BeforeValidator(_number), Field(ge=0, le=0.2)] = 0.0
    crashes_per_minute: Annotated[float, BeforeValidator(_number), Field(ge=0, le=60)] = 0.0


OFF = ChaosSettings()


class Fault(Enum):
    """What happens to a call: it never gets there, its answer is lost, or it is carried out when nobody waits."""

    BEFORE = "failed before anything was done"
    AFTER = "done, and the answer lost"
    LATE = "failed, and done later"


_CUMULATIVE_SHARES = ((Fault.BEFORE, 0.2), (Fault.AFTER, 0.5), (Fault.LATE, 1.0))
"""How much of what fails is of this kind or one before it: a fifth, three tenths, a half."""


class FaultInjector:
    """The chaos in one process. Its settings are kept, so that they outlive a crash and reach every replica."""

    def __init__(self, documents: Documents, source: random.Random) -> None:
        self._records = Records(documents, "chaos", ChaosSettings)
        self._random = source
        self._guard = threading.Lock()
        # One at a time asks the store: what was read before a change must not come into force after it.
        self._store_guard = threading.Lock()
        self._late_slots = threading.Semaphore(_MAX_LATE_CALLS)
        self._settings = OFF

    @property
    def settings(self) -> ChaosSettings:
        """What is in force in this process."""
        return self._settings

    def change(self, settings: ChaosSettings) -> None:
        """Put settings into force, here at once and in other replicas within seconds. Raises TransientError."""
        with self._store_guard:
            self._records.update(_KEY, lambda before: before if before == settings else settings)
            self._use(settings)

    def refresh(self) -> None:
        """Take over what was decided elsewhere, or before a crash; what cannot be read changes nothing."""
        try:
            with self._store_guard:
                self._use(self._records.get(_KEY) or OFF)
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread that looks is to look again
            log.debug("chaos stays as it is", extra={"cause": str(error)})

    def next_fault(self) -> Fault | None:
        """Decide what happens to the next call."""
        failures, drawn = self._settings.failures, self._draw()
        return next((fault for fault, share in _CUMULATIVE_SHARES if drawn < share * failures), None)

    def loses_write(self) -> bool:
        """Decide whether the answer to the next write is lost."""
        return self._draw() < self._settings.lost_writes

    def call(self, work: Callable[[], R]) -> R:
        """Run `work`, or fail before it, after it, or without it, when it is run later. Raises TransientError."""
        fault = self.next_fault()
        if fault is Fault.AFTER:
            work()
        elif fault is Fault.LATE:
            self.run_late(work)
        if fault is not None:
            raise TransientError(f"chaos: {fault.value}")
        return work()

    def run_late(self, work: Callable[[], object]) -> None:
        """Run `work` in a while; nobody hears how it ends."""
        if not self._late_slots.acquire(blocking=False):
            return
        with self._guard:
            delay = self._random.uniform(*_LATE_SECONDS)
        timer = threading.Timer(delay, self._run_ignoring_errors, (work,))
        timer.daemon = True
        timer.start()

    def tick(self, pause: Callable[[float], None], die: Callable[[], None]) -> None:
        """Pass about a second: read the settings, and die at some moment of it if that is this second's lot."""
        self.refresh()
        rate = self._settings.crashes_per_minute / 60
        # Dying does not depend on how long one has lived, so a second at a time is as good as all at once.
        with self._guard:
            moment = self._random.expovariate(rate) if rate else _PERIOD
        pause(min(moment, _PERIOD))
        if moment < _PERIOD and self._settings.crashes_per_minute:
            log.warning("chaos: the process dies")
            die()

    def _run_ignoring_errors(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whoever asked has long been told that it failed
            log.info("chaos: what was done late did not succeed", extra={"cause": repr(error)})
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
            log.info("chaos is switched off")
        else:
            log.warning("chaos is switched on", extra=settings.to_json())


def die() -> None:
    """End the process as a crash does: at once, with nothing put in order."""
    os.kill(os.getpid(), signal.SIGKILL)


def enable(config: ServiceConfig, documents: Documents, die: Callable[[], None] = die) -> FaultInjector | None:
    """Return the chaos of this process, under way, if the configuration allows any, else None."""
    if not config.chaos_enabled:
        return None
    log.warning("chaos is enabled: PUT /chaos can switch it on")
    chaos = FaultInjector(documents, random.Random())  # noqa: S311 - dice for a demonstration, no secret

    def run() -> None:
        chaos.refresh()
        time.sleep(_GRACE_SECONDS)
        while True:
            chaos.tick(time.sleep, die)

    threading.Thread(target=run, name="chaos", daemon=True).start()
    return chaos
