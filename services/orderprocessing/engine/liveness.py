"""Shows whether workflows really go on in this process.

A sidecar may be healthy and the worker connected while nothing moves: the scheduler is away, a stream is dead. So each
activity that runs here is a sign of life, and while there are none, a tiny workflow is started now and then.
"""

import functools
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext

from services.common.dapr.sidecar import TransientError
from services.common.logs import get_logger

log = get_logger(__name__)

LIVENESS_WORKFLOW = "pulse_workflow"
_LOST_AFTER = 30.0
_INTERVAL = 10.0
_HURRY = 1.0
_ANSWER_WITHIN = 2.0
_IDS = 16
_TRIES = 8


class LivenessProbe:
    """Signs of life of this process's worker. Times in seconds; threads may share it.

    `start` starts the pulse workflow under an instance id, and raises TransientError.
    """

    def __init__(
        self,
        start: Callable[[str], None],
        replica: str,
        interval: float = _INTERVAL,
        answer_within: float = _ANSWER_WITHIN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start, self._replica, self._clock = start, replica, clock
        self._interval, self._answer_within = interval, answer_within
        self._changed = threading.Condition()
        self._last: float | None = None
        self._began = self._taken = clock()
        self._number = 0

    def sign(self) -> None:
        """Note that something ran here just now."""
        with self._changed:
            self._last = self._clock()
            self._changed.notify_all()

    def silence(self) -> float:
        """Return for how long nothing ran here."""
        return self._clock() - (self._began if self._last is None else self._last)

    def unanswered(self) -> float:
        """Return for how long nothing ran here and the engine did not even take the pulse workflow."""
        return min(self.silence(), self._clock() - self._taken)

    def alive(self) -> bool:
        """Tell whether something ran here lately; not before the first time."""
        return self._last is not None and self.silence() < _LOST_AFTER

    def noted(self, activity: Callable[..., Any]) -> Callable[..., Any]:
        """Return the activity, whose end is a sign of life, also when it fails."""

        @functools.wraps(activity)
        def run(*args: Any) -> Any:
            try:
                return activity(*args)
            finally:
                self.sign()

        return run

    def workflow(self) -> Callable[[DaprWorkflowContext, Any], None]:
        """Return the workflow that does nothing but show that it ran here."""

        def pulse(_ctx: DaprWorkflowContext, _payload: Any) -> None:
            self.sign()

        pulse.__name__ = LIVENESS_WORKFLOW
        return pulse

    def beat(self) -> bool:
        """Give a sign of life, unless there is a fresh one; tell whether there is one now.

        Of several replicas the engine chooses one by the instance's id; so this looks for an id that leads here, and
        stays with it. The ids are few and used again and again, so that nothing piles up.
        """
        if self._last is not None and self.silence() < self._interval:
            return True
        for _ in range(_TRIES):
            since = self._clock()
            try:
                self._start(f"pulse-{self._replica}-{self._number}")
            except TransientError as error:
                log.debug("no pulse", extra={"cause": str(error)})
                return False
            self._taken = self._clock()
            with self._changed:
                if self._changed.wait_for(lambda: (self._last or 0.0) >= since, self._answer_within):  # noqa: B023
                    return True
            self._number = (self._number + 1) % _IDS
        return False

    def run(self, stopping: threading.Event) -> None:
        """Beat until told to stop, as soon as it has been quiet for long enough; in a hurry while nothing answers."""
        pause = 0.0
        while not stopping.wait(pause):
            pause = min(_HURRY, self._interval)
            try:
                if self.beat():
                    pause = max(pause, self._interval - self.silence())
            except Exception:
                log.exception("the pulse could not be felt")


def replica_name(port: int | str) -> str:
    """Return a name for this process that no replica beside it has and that a restart does not change.

    Only characters that an instance id may have; `port` is the sidecar's.
    """
    host = re.sub(r"[^A-Za-z0-9-]", "-", os.environ.get("HOSTNAME") or socket.gethostname())
    return f"{host[-40:]}-{port}"
