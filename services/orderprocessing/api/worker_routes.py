"""The list of workers over HTTP, for operators."""

from collections.abc import Callable

from services.common.web import api
from services.common.web.access_rules import CONSOLE, people
from services.orderprocessing.adapters.worker_registry import WorkerInfo


class WorkerRoutes:
    """The workers; `workers` lists them and raises TransientError."""

    def __init__(self, workers: Callable[[], list[WorkerInfo]]) -> None:
        self._workers = workers

    @api.get(
        "/workers", "Workers that run, and those that are gone for less than ten minutes", allow=people(apps=(CONSOLE,))
    )
    def list_workers(self) -> list[WorkerInfo]:
        """Return the running workers, oldest first, then those that are gone, newest first."""
        return self._workers()
