"""The registry of workers: each worker reports itself every few seconds, and every API process can list them.

It is one small document in the state store. A worker that was killed is lost once its reports stop; a worker that stops
in order says so. Both stay in the list for a while, so that an operator sees workers come and go. The ages of reports
are compared by the machines' clocks, which must agree to a few seconds.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from services.common.clock import Clock, moment, rfc3339, utc_now
from services.common.json_models import ApiModel
from services.common.storage.documents import Documents, Records

HEARTBEAT_INTERVAL = 5.0
"""Seconds between the reports of a worker."""
_LOST_AFTER = timedelta(seconds=3 * HEARTBEAT_INTERVAL + 1)
_SHOWN_FOR = timedelta(minutes=10)
"""How long a worker that is gone stays in the list."""
_MOST_GONE = 20
_KIND, _ID = "workers", "all"


class WorkerStatus(StrEnum):
    """Whether a worker runs: a lost worker has stopped reporting, without saying that it stops."""

    RUNNING = "running"
    STOPPED = "stopped"
    LOST = "lost"


class WorkerInfo(ApiModel):
    """A worker: `since` is the time of its start, `lastSeenAt` the time of its last report."""

    name: str
    version: str
    status: WorkerStatus
    since: str
    last_seen_at: str


class _Report(BaseModel):
    """The last report of a worker. Name and start identify it, because a name may be used again."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    since: str
    last_seen_at: str
    stopped: bool = False

    def status(self, now: datetime) -> WorkerStatus:
        if self.stopped:
            return WorkerStatus.STOPPED
        return WorkerStatus.RUNNING if now - moment(self.last_seen_at) < _LOST_AFTER else WorkerStatus.LOST


class _Reports(BaseModel):
    """The stored document."""

    model_config = ConfigDict(frozen=True)

    workers: tuple[_Report, ...] = ()


class WorkerRegistry:
    """The workers of all processes, in the state store. Threads may share it. Methods raise TransientError."""

    def __init__(self, documents: Documents, clock: Clock = utc_now) -> None:
        self._records, self._clock = Records(documents, _KIND, _Reports), clock

    def report(self, name: str, version: str, since: datetime) -> None:
        """Report that the worker with this start runs."""
        self._write(_Report(name=name, version=version, since=rfc3339(since), last_seen_at=rfc3339(self._clock())))

    def remove(self, name: str, version: str, since: datetime) -> None:
        """Report that the worker stops; the list shows it as stopped for a while."""
        now = rfc3339(self._clock())
        self._write(_Report(name=name, version=version, since=rfc3339(since), last_seen_at=now, stopped=True))

    def workers(self) -> list[WorkerInfo]:
        """Return the running workers, oldest first, then those that are gone, newest first."""
        stored, now = self._records.get(_ID) or _Reports(), self._clock()
        running, gone = _split(stored.workers, now)
        return [
            WorkerInfo(
                name=report.name,
                version=report.version,
                status=report.status(now),
                since=report.since,
                last_seen_at=report.last_seen_at,
            )
            for report in (*running, *gone)
        ]

    def living(self) -> list[WorkerInfo]:
        """Return the running workers, oldest first."""
        return [worker for worker in self.workers() if worker.status == WorkerStatus.RUNNING]

    def _write(self, report: _Report) -> None:
        def change(stored: _Reports | None) -> _Reports:
            others = [
                other
                for other in (stored or _Reports()).workers
                if (other.name, other.since) != (report.name, report.since)
            ]
            running, gone = _split([*others, report], self._clock())
            return _Reports(workers=(*running, *gone))

        self._records.update(_ID, change)


def _split(reports: Sequence[_Report], now: datetime) -> tuple[list[_Report], list[_Report]]:
    """Return the running workers, oldest first, and the last ones that are gone, newest first."""
    running = [report for report in reports if report.status(now) == WorkerStatus.RUNNING]
    gone = [
        report
        for report in reports
        if report.status(now) != WorkerStatus.RUNNING and now - moment(report.last_seen_at) < _SHOWN_FOR
    ]
    gone.sort(key=lambda report: report.last_seen_at, reverse=True)
    return sorted(running, key=lambda report: (report.since, report.name)), gone[:_MOST_GONE]
