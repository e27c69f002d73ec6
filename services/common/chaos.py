"""Chaos on demand, for demonstrations: calls that fail, processes that die. Off unless the configuration allows it.

What fails here is what fails in the field: a call is refused, or it acts and its answer is lost; a process ends in the
middle of anything. All of it may be tried again, so orders must end as if nothing had happened.
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

from flask import Flask, Response, g, jsonify, request
from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from services.common import problems
from services.common.config import ServiceConfig
from services.common.documents import Documents, Records
from services.common.logs import get_logger
from services.common.models import Request
from services.common.problems import Problem
from services.common.sidecar import TransientError
from services.common.web import read_body

log = get_logger(__name__)

R = TypeVar("R")

_KEY = "settings"
_PERIOD = 1.0
_PATH = "/chaos"
_CALLER = "dapr-caller-app-id"
_DELIVERIES = "/internal/"


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


class ChaosSettings(Request):
    """How much chaos there is: the share of calls that fail, and how often the process dies, each 0 for not at all."""

    # A switch with a typing error must not look as if it had been turned; records have the fields' own names.
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    failures: Annotated[float, BeforeValidator(_number), Field(ge=0, le=0.5)] = 0.0
    crashes_per_minute: Annotated[float, BeforeValidator(_number), Field(ge=0, le=60)] = 0.0


OFF = ChaosSettings()


class Blow(Enum):
    """What happens to a call: its answer is lost, or it never gets there."""

    BEFORE = "failed before anything was done"
    AFTER = "done, and the answer lost"


class Chaos:
    """The chaos in one process. Its settings are kept, so that they outlive a crash and reach every replica."""

    def __init__(self, documents: Documents, dice: random.Random) -> None:
        self._records = Records(documents, "chaos", ChaosSettings)
        self._dice = dice
        self._guard = threading.Lock()
        # One at a time asks the store: what was read before a change must not come into force after it.
        self._store = threading.Lock()
        self._settings = OFF

    @property
    def settings(self) -> ChaosSettings:
        """What is in force in this process."""
        return self._settings

    def change(self, settings: ChaosSettings) -> None:
        """Put settings into force, here at once and in other replicas within seconds. Raises TransientError."""
        with self._store:
            self._records.update(_KEY, lambda before: before if before == settings else settings)
            self._use(settings)

    def refresh(self) -> None:
        """Take over what was decided elsewhere, or before a crash; what cannot be read changes nothing."""
        try:
            with self._store:
                self._use(self._records.get(_KEY) or OFF)
        except (TransientError, ValidationError) as error:
            log.debug("chaos stays as it is", extra={"cause": str(error)})

    def blow(self) -> Blow | None:
        """Decide what happens to the next call."""
        failures = self._settings.failures
        with self._guard:
            thrown = self._dice.random()
        if thrown >= failures:
            return None
        return Blow.BEFORE if thrown < failures / 2 else Blow.AFTER

    def around(self, work: Callable[[], R]) -> R:
        """Run `work`, or fail before or after it. Raises TransientError."""
        blow = self.blow()
        if blow is Blow.BEFORE:
            raise TransientError(f"chaos: {blow.value}")
        result = work()
        if blow is Blow.AFTER:
            raise TransientError(f"chaos: {blow.value}")
        return result

    def live(self, pause: Callable[[float], None], die: Callable[[], None]) -> None:
        """Pass about a second: read the settings, and die at some moment of it if that is this second's lot."""
        self.refresh()
        rate = self._settings.crashes_per_minute / 60
        # Dying does not depend on how long one has lived, so a second at a time is as good as all at once.
        with self._guard:
            moment = self._dice.expovariate(rate) if rate else _PERIOD
        pause(min(moment, _PERIOD))
        if moment < _PERIOD:
            log.warning("chaos: the process dies")
            die()

    def _use(self, settings: ChaosSettings) -> None:
        with self._guard:
            before, self._settings = self._settings, settings
        if settings == before:
            return
        if settings == OFF:
            log.info("chaos is switched off")
        else:
            log.warning("chaos is switched on", extra=settings.wire())


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def enable(config: ServiceConfig, documents: Documents, die: Callable[[], None] = _die) -> Chaos | None:
    """Return the chaos of this process, under way, if the configuration allows any, else None."""
    if not config.chaos_enabled:
        return None
    log.warning("chaos is enabled: PUT /chaos can switch it on")
    chaos = Chaos(documents, random.Random())  # noqa: S311 - dice for a demonstration, no secret

    def live() -> None:
        while True:
            chaos.live(time.sleep, die)

    threading.Thread(target=live, name="chaos", daemon=True).start()
    return chaos


def register(app: Flask, chaos: Chaos | None, *, fail_calls: bool = True) -> None:
    """Give the application its switch, and let calls by other services fail if `fail_calls`; without chaos nothing."""
    if chaos is None:
        return

    @app.get(_PATH)
    def _show() -> Response:
        return jsonify(chaos.settings.wire())

    @app.put(_PATH)
    def _change() -> Response:
        settings = read_body(ChaosSettings)
        chaos.change(settings)
        return jsonify(settings.wire())

    if fail_calls:
        _fail_calls(app, chaos)


def _fail_calls(app: Flask, chaos: Chaos) -> None:
    @app.before_request
    def _before() -> None:
        g.blow = chaos.blow() if _is_call() else None
        if g.blow is Blow.BEFORE:
            raise _problem(g.blow)

    @app.after_request
    def _after(answer: Response) -> Response:
        blow = g.get("blow")
        if blow is not Blow.AFTER:
            return answer
        answer.close()
        return problems.respond(_problem(blow))


def _is_call() -> bool:
    """Tell whether another service asks, or the sidecar delivers an event; people's own requests are left alone."""
    return request.path != _PATH and (_CALLER in request.headers or request.path.startswith(_DELIVERIES))


def _problem(blow: Blow) -> Problem:
    return Problem(503, "chaos", blow.value, retry_after=1)
