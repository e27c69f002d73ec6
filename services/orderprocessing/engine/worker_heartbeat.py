"""Reports this worker to the registry of workers until it stops."""

import threading
from datetime import datetime
from logging import DEBUG, WARNING
from typing import Protocol

from services.common.clock import Clock, utc_now
from services.common.dapr.sidecar import TransientError
from services.common.logs import get_logger
from services.orderprocessing.adapters.worker_registry import HEARTBEAT_INTERVAL
from services.orderprocessing.engine.worker_identity import WorkerIdentity

log = get_logger(__name__)

_RETRY = 1.0


class Registry(Protocol):
    """The registry, as a worker uses it."""

    def report(self, name: str, version: str, since: datetime) -> None:
        """Report that the worker with this start runs. Raises TransientError."""

    def remove(self, name: str, version: str, since: datetime) -> None:
        """Report that the worker stops. Raises TransientError."""


class WorkerHeartbeat:
    """Reports a worker every few seconds, and its end. A report that fails is repeated with the next one."""

    def __init__(
        self,
        registry: Registry,
        identity: WorkerIdentity,
        interval: float = HEARTBEAT_INTERVAL,
        clock: Clock = utc_now,
    ) -> None:
        self._registry, self._identity, self._interval = registry, identity, interval
        self._since = clock()
        self._failed = False

    def run_in_background(self, stopping: threading.Event) -> threading.Thread:
        """Report until `stopping` is set, then report the end. Join the thread to wait for that."""
        thread = threading.Thread(target=self._run, args=(stopping,), name="worker-heartbeat", daemon=True)
        thread.start()
        return thread

    def _run(self, stopping: threading.Event) -> None:
        log.info("worker %s runs version %s", self._identity.name, self._identity.version)
        while True:
            self._report(stopped=False)
            if stopping.wait(min(_RETRY, self._interval) if self._failed else self._interval):
                break
        self._report(stopped=True)

    def _report(self, stopped: bool) -> None:
        report = self._registry.remove if stopped else self._registry.report
        try:
            report(self._identity.name, self._identity.version, self._since)
        except TransientError as error:
            # An outage of the store is logged once, and by others too.
            log.log(DEBUG if self._failed else WARNING, "could not report the worker", extra={"cause": str(error)})
            self._failed = True
        except Exception:
            log.exception("could not report the worker")
            self._failed = True
        else:
            self._failed = False
