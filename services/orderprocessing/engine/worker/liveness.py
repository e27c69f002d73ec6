"""The liveness probe: detects whether this process's worker really runs workflows and activities.

The sidecar may be healthy and the worker connected while nothing runs, because the scheduler is down or a stream is
broken. Every activity that runs here proves the worker alive; while there is none, the probe starts a tiny workflow.
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

LIVENESS_WORKFLOW = "liveness_workflow"
_DEAD_AFTER = 30.0
_INTERVAL = 10.0
_RETRY_INTERVAL = 1.0
_PROBE_TIMEOUT = 1.0
_INSTANCE_IDS = 16
_MAX_TRIES = 8
_NOT_IN_INSTANCE_ID = r"[^A-Za-z0-9-]"


class LivenessProbe:
    """Records when this process's worker last ran something. Times are in seconds; threads may share it.

    `start` starts the liveness workflow under an instance id, and raises TransientError.
    """

    def __init__(
        self,
        start: Callable[[str], None],
        worker: str,
        interval: float = _INTERVAL,
        timeout: float = _PROBE_TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start, self._worker, self._clock = start, worker, clock
        self._interval, self._timeout = interval, timeout
        self._changed = threading.Condition()
        self._last_activity: float | None = None
        self._created_at = self._accepted_at = clock()
        self._number = 0

    def record_activity(self) -> None:
        """Record that something ran here just now."""
        with self._changed:
            self._last_activity = self._clock()
            self._changed.notify_all()

    def idle_seconds(self) -> float:
        """Return for how long nothing has run here."""
        return self._clock() - (self._created_at if self._last_activity is None else self._last_activity)

    def unresponsive_seconds(self) -> float:
        """Return for how long nothing has run here and the engine has not accepted the liveness workflow either."""
        return min(self.idle_seconds(), self._clock() - self._accepted_at)

    def alive(self) -> bool:
        """Return whether something ran here in the last 30 seconds; False before the first time."""
        return self._last_activity is not None and self.idle_seconds() < _DEAD_AFTER

    def recording(self, activity: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap an activity so that its end, also by an error, is recorded."""

        @functools.wraps(activity)
        def run(*args: Any) -> Any:
            try:
                return activity(*args)
            finally:
                self.record_activity()

        return run

    def workflow(self) -> Callable[[DaprWorkflowContext, Any], None]:
        """Return the liveness workflow, which only records that it ran here."""

        def liveness(_ctx: DaprWorkflowContext, _payload: Any) -> None:
            self.record_activity()

        liveness.__name__ = LIVENESS_WORKFLOW
        return liveness

    def probe(self) -> bool:
        """Start the liveness workflow unless something ran here lately; return whether the worker is alive now.

        The engine chooses a sidecar by the instance's id, and the sidecar chooses one of its workers. The probe tries
        ids until one runs here, and then uses that one again. It has few ids, so that finished instances do not
        accumulate.
        """
        if self._last_activity is not None and self.idle_seconds() < self._interval:
            return True
        for _ in range(_MAX_TRIES):
            since = self._clock()
            try:
                self._start(f"liveness-{self._worker}-{self._number}")
            except TransientError as error:
                log.debug("could not start the liveness workflow", extra={"cause": str(error)})
                return False
            self._accepted_at = self._clock()
            with self._changed:
                if self._changed.wait_for(lambda: (self._last_activity or 0.0) >= since, self._timeout):  # noqa: B023
                    return True
            self._number = (self._number + 1) % _INSTANCE_IDS
        return False

    def run(self, stopping: threading.Event) -> None:
        """Probe until `stopping` is set: when nothing has run for an interval, and every second without a success."""
        pause = 0.0
        while not stopping.wait(pause):
            pause = min(_RETRY_INTERVAL, self._interval)
            try:
                if self.probe():
                    pause = max(pause, self._interval - self.idle_seconds())
            except Exception:
                log.exception("the liveness probe failed")


def sidecar_name(port: int | str) -> str:
    """Return a name for the sidecar of this process that is unique among the replicas and survives a restart.

    It has only characters that are allowed in an instance id; `port` is the sidecar's.
    """
    host = re.sub(_NOT_IN_INSTANCE_ID, "-", os.environ.get("HOSTNAME") or socket.gethostname())
    return f"{host[-24:]}-{port}"


def liveness_name(port: int | str, worker: str) -> str:
    """Return a name for the liveness probes of a worker that is unique among the workers and survives a restart."""
    return f"{sidecar_name(port)}-{re.sub(_NOT_IN_INSTANCE_ID, '-', worker)[-20:]}"
