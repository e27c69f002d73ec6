"""The heartbeat of a worker: its reports to the registry of workers, and whether it is the one that reconciles."""

import os
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from services.common.clock import rfc3339, utc_now
from services.common.dapr.sidecar import TransientError
from services.common.logs import get_logger
from services.orderprocessing.adapters.worker_registry import WorkerRegistry, WorkerReport
from services.orderprocessing.engine.worker.worker_identity import WorkerIdentity

log = get_logger(__name__)

_INTERVAL = 2.0
_LEADS_FOR = timedelta(seconds=5)
"""Time after its last report for which the leader stays the leader."""


class ReportingWorker(Protocol):
    """The part of a worker that its reports describe."""

    def connected(self) -> bool:
        """Return whether the worker is connected to its sidecar."""

    def alive(self) -> bool:
        """Return whether workflows and activities really run on the worker."""


class Heartbeat:
    """Reports a worker to the registry while it is connected to its sidecar.

    `completed` returns how many steps of workflows this process has completed.
    """

    def __init__(
        self,
        registry: WorkerRegistry,
        identity: WorkerIdentity,
        sidecar: str,
        completed: Callable[[], int],
        worker: ReportingWorker,
    ) -> None:
        self._registry, self._identity, self._completed, self._worker = registry, identity, completed, worker
        self._report = WorkerReport(
            version=identity.version, sidecar=sidecar, process_id=os.getpid(), started_at=rfc3339(utc_now())
        )
        self._guard = threading.Lock()
        self._ended = False

    def start(self, stopping: threading.Event) -> None:
        """Report every two seconds until `stopping` is set."""
        threading.Thread(target=self._run, args=(stopping,), name="heartbeat", daemon=True).start()

    def beat(self) -> None:
        """Report now if the worker is connected. Raises TransientError."""
        with self._guard:
            if self._worker.connected() and not self._ended:
                report = self._report.model_copy(update={"completed": self._completed(), "alive": self._worker.alive()})
                self._registry.report(self._identity.name, report)

    def stop(self) -> None:
        """Remove the worker from the registry."""
        with self._guard:
            self._ended = True
            try:
                self._registry.remove(self._identity.name)
            except TransientError as error:
                log.info("could not remove the worker from the registry", extra={"cause": str(error)})

    def leads(self) -> bool:
        """Return whether this worker is the one that reconciles: the oldest of those that run workflows.

        If none does, it is the oldest of those that live: the sidecar of a worker that runs nothing may be broken.
        While no worker reports, every worker reconciles: two reconcilers at once do no harm. Raises TransientError.
        """
        live = self._registry.live(_LEADS_FOR)
        return (
            not live
            or min(live, key=lambda name: (not live[name].alive, live[name].started_at, name)) == self._identity.name
        )

    def _run(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                self.beat()
            except TransientError as error:
                log.debug("could not report the worker", extra={"cause": str(error)})
            except Exception:
                log.exception("could not report the worker")
            stopping.wait(_INTERVAL)
