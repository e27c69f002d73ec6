"""The registry of workers: one record in the state store, to which every connected worker reports."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import BaseModel, Field

from services.common.clock import Clock, rfc3339, utc_now
from services.common.storage.documents import Documents, Records

_KEY = "all"
_LIVES_FOR = timedelta(seconds=10)
"""Time after its last report for which a worker counts as live."""
_FORGOTTEN_AFTER = timedelta(minutes=5)


class WorkerReport(BaseModel):
    """The last report of a worker.

    `sidecar` is the name of its sidecar, `alive` says whether workflows really run, and `completed` is the number of
    steps that it has completed.
    """

    version: str
    sidecar: str
    process_id: int
    started_at: str
    seen_at: str = ""
    alive: bool = False
    completed: int = 0


class WorkerReports(BaseModel):
    """The last report of each worker by its name, also of those that ended within the last minutes."""

    workers: dict[str, WorkerReport] = Field(default_factory=dict)


class WorkerRegistry:
    """The workers of all replicas, by their last reports. Methods raise TransientError."""

    def __init__(self, documents: Documents, clock: Clock = utc_now) -> None:
        self._records, self._clock = Records(documents, "workers", WorkerReports), clock

    def report(self, name: str, report: WorkerReport) -> None:
        """Store the report of a worker, and forget workers that ended minutes ago."""
        now = self._clock()
        report = report.model_copy(update={"seen_at": rfc3339(now)})

        def change(before: WorkerReports | None) -> WorkerReports:
            others = before.workers if before else {}
            known = {key: other for key, other in others.items() if _age(other, now) < _FORGOTTEN_AFTER}
            return WorkerReports(workers={**known, name: report})

        self._records.update(_KEY, change)

    def remove(self, name: str) -> None:
        """Remove a worker that has ended."""
        self._records.update(
            _KEY,
            lambda before: WorkerReports(
                workers={key: report for key, report in (before.workers if before else {}).items() if key != name}
            ),
        )

    def all(self) -> Mapping[str, WorkerReport]:
        """Return the last reports, also of workers that have just ended."""
        reports = self._records.get(_KEY)
        return reports.workers if reports else {}

    def live(self, within: timedelta = _LIVES_FOR) -> Mapping[str, WorkerReport]:
        """Return the reports of the workers that have reported `within` this time."""
        return {name: report for name, report in self.all().items() if self.is_live(report, within)}

    def is_live(self, report: WorkerReport, within: timedelta = _LIVES_FOR) -> bool:
        """Return whether a worker has reported `within` this time."""
        return _age(report, self._clock()) < within

    def count_elsewhere(self, sidecar: str) -> int:
        """Return how many workers live at other sidecars than this one."""
        return sum(report.sidecar != sidecar for report in self.live().values())


def _age(report: WorkerReport, now: datetime) -> timedelta:
    """Return how long ago a worker reported; a report from the future, after a clock was set back, is as old."""
    return abs(now - datetime.fromisoformat(report.seen_at))
