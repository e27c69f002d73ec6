"""Counts the steps of workflows that all workers together have completed."""

from collections.abc import Callable, Mapping

from services.orderprocessing.adapters.worker_registry import WorkerReport


class CompletedSteps:
    """A count that only grows, also when workers end or start again. It is as recent as the workers' reports."""

    def __init__(self, reports: Callable[[], Mapping[str, WorkerReport]]) -> None:
        """`reports` returns the last report of each worker. Raises TransientError."""
        self._reports = reports
        self._counted: dict[tuple[str, str], int] = {}
        self._total = 0

    def __call__(self) -> int:
        """Return how many steps have been completed. Raises TransientError."""
        completed = {(name, report.started_at): report.completed for name, report in self._reports().items()}
        self._total += sum(max(0, count - self._counted.get(process, 0)) for process, count in completed.items())
        self._counted = completed
        return self._total
