"""The list of workers over HTTP, for operators."""

from collections.abc import Callable
from enum import StrEnum

from services.common.json_models import ApiModel
from services.common.web import api
from services.common.web.access_rules import CONSOLE, people
from services.orderprocessing.adapters.worker_registry import WorkerRegistry


class WorkerStatus(StrEnum):
    """`starting`: nothing has run on the worker yet, or not lately. `lost`: it stopped reporting, as in a crash."""

    RUNNING = "running"
    STARTING = "starting"
    LOST = "lost"


class WorkerInfo(ApiModel):
    """A worker: `since` is the time of its start, `lastSeenAt` the time of its last report."""

    name: str
    version: str
    status: WorkerStatus
    since: str
    last_seen_at: str


class WorkerRoutes:
    """The workers; `workers` lists them and raises TransientError."""

    def __init__(self, workers: Callable[[], list[WorkerInfo]]) -> None:
        self._workers = workers

    @api.get(
        "/workers",
        "Workers that live, and those that were lost in the last minutes",
        allow=people(apps=(CONSOLE,)),
    )
    def list_workers(self) -> list[WorkerInfo]:
        """Return the workers that live, by name, then those that were lost, the last one first."""
        return self._workers()


def workers_of(registry: WorkerRegistry) -> list[WorkerInfo]:
    """Return the workers of the registry: those that live, by name, then the others, the last one first."""
    workers = [
        WorkerInfo(
            name=name,
            version=report.version,
            status=_status(registry.is_live(report), report.alive),
            since=report.started_at,
            last_seen_at=report.seen_at,
        )
        for name, report in registry.all().items()
    ]
    lost = [worker for worker in workers if worker.status == WorkerStatus.LOST]
    living = [worker for worker in workers if worker.status != WorkerStatus.LOST]
    return sorted(living, key=lambda worker: worker.name) + sorted(
        lost, key=lambda worker: worker.last_seen_at, reverse=True
    )


def _status(lives: bool, runs: bool) -> WorkerStatus:
    if not lives:
        return WorkerStatus.LOST
    return WorkerStatus.RUNNING if runs else WorkerStatus.STARTING
