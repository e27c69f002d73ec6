"""The registry of workers, and the heartbeat that writes to it."""

import threading
from datetime import datetime, timedelta

import pytest

from services.common.dapr.sidecar import TransientError
from services.orderprocessing.adapters.worker_registry import HEARTBEAT_INTERVAL, WorkerRegistry
from services.orderprocessing.app import create_app
from services.orderprocessing.engine.worker_heartbeat import WorkerHeartbeat
from services.orderprocessing.engine.worker_identity import WorkerIdentity
from tests.fakes import FakeClock, FakeDocuments
from tests.unit.orderprocessing.polling import eventually
from tests.unit.orderprocessing.world import World

WORKER = WorkerIdentity("worker-1", "v1")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def documents() -> FakeDocuments:
    return FakeDocuments()


@pytest.fixture
def registry(documents: FakeDocuments, clock: FakeClock) -> WorkerRegistry:
    return WorkerRegistry(documents, clock)


def states(registry: WorkerRegistry) -> list[tuple[str, str]]:
    return [(worker.name, worker.status) for worker in registry.workers()]


def test_without_reports_there_are_no_workers(registry: WorkerRegistry) -> None:
    assert registry.workers() == registry.living() == []


def test_a_worker_that_reports_runs_since_its_start(registry: WorkerRegistry, clock: FakeClock) -> None:
    began = clock.now
    for _ in range(10):
        registry.report("worker-1", "v1", began)
        clock.now += timedelta(seconds=HEARTBEAT_INTERVAL)
    [worker] = registry.workers()
    assert worker.to_json() == {
        "name": "worker-1",
        "version": "v1",
        "status": "running",
        "since": "2026-11-21T09:00:00.000Z",
        "lastSeenAt": "2026-11-21T09:00:45.000Z",
    }
    assert registry.living() == [worker]


def test_other_processes_see_the_same_workers(
    registry: WorkerRegistry, documents: FakeDocuments, clock: FakeClock
) -> None:
    registry.report("worker-1", "v1", clock.now)
    other = WorkerRegistry(documents, clock)
    other.report("worker-2", "v2", clock.now)
    assert states(registry) == states(other) == [("worker-1", "running"), ("worker-2", "running")]


def test_a_worker_that_misses_three_reports_is_lost_until_it_reports_again(
    registry: WorkerRegistry, clock: FakeClock
) -> None:
    began = clock.now
    registry.report("worker-1", "v1", began)
    clock.now += timedelta(seconds=3 * HEARTBEAT_INTERVAL)
    assert states(registry) == [("worker-1", "running")]
    clock.now += timedelta(seconds=2)
    assert (states(registry), registry.living()) == ([("worker-1", "lost")], [])
    registry.report("worker-1", "v1", began)
    assert states(registry) == [("worker-1", "running")]


def test_a_worker_that_stops_is_no_longer_running_at_once(registry: WorkerRegistry, clock: FakeClock) -> None:
    registry.report("worker-1", "v1", clock.now)
    registry.report("worker-2", "v1", clock.now)
    registry.remove("worker-1", "v1", clock.now)
    assert states(registry) == [("worker-2", "running"), ("worker-1", "stopped")]


def test_a_name_that_is_used_again_is_another_worker(registry: WorkerRegistry, clock: FakeClock) -> None:
    first = clock.now
    registry.report("worker-1", "v1", first)
    registry.remove("worker-1", "v1", first)
    clock.now += timedelta(seconds=1)
    registry.report("worker-1", "v2", clock.now)
    assert [(worker.version, worker.status) for worker in registry.workers()] == [("v2", "running"), ("v1", "stopped")]


def test_workers_that_are_gone_are_forgotten_after_ten_minutes(registry: WorkerRegistry, clock: FakeClock) -> None:
    registry.report("worker-1", "v1", clock.now)
    clock.now += timedelta(minutes=9, seconds=59)
    assert states(registry) == [("worker-1", "lost")]
    clock.now += timedelta(seconds=1)
    assert states(registry) == []


def test_of_many_workers_that_are_gone_the_last_twenty_are_kept(
    registry: WorkerRegistry, documents: FakeDocuments, clock: FakeClock
) -> None:
    for number in range(30):
        clock.now += timedelta(seconds=1)
        registry.remove(f"worker-{number}", "v1", clock.now)
    registry.report("worker-30", "v1", clock.now)
    assert [name for name, _ in states(registry)] == [f"worker-{number}" for number in (30, *range(29, 9, -1))]
    assert b"worker-9" not in next(iter(documents.load_many(["workers/all"]).values())).data


def test_concurrent_reports_are_all_kept(documents: FakeDocuments, clock: FakeClock) -> None:
    names = [f"worker-{number}" for number in range(8)]
    began = clock.now
    threads = [
        threading.Thread(target=WorkerRegistry(documents, clock).report, args=(name, "v1", began)) for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert [name for name, _ in states(WorkerRegistry(documents, clock))] == names


def test_operators_get_the_workers_over_http(world: World, registry: WorkerRegistry, clock: FakeClock) -> None:
    registry.report("worker-1", "v1", clock.now)
    app = create_app(world.orders, world.service, world.driver, world.clock, workers=registry.workers)
    answer = app.test_client().get("/workers")
    assert (answer.status_code, answer.get_json()) == (200, [worker.to_json() for worker in registry.workers()])


class FlakyRegistry:
    """A registry whose reports fail while `down`."""

    def __init__(self) -> None:
        self.down = False
        self.calls: list[str] = []
        self.starts: set[datetime] = set()

    def report(self, name: str, version: str, since: datetime) -> None:
        self._call("report", since)

    def remove(self, name: str, version: str, since: datetime) -> None:
        self._call("remove", since)

    def _call(self, kind: str, since: datetime) -> None:
        self.calls.append(f"failed {kind}" if self.down else kind)
        self.starts.add(since)
        if self.down:
            raise TransientError("the store is down")


def test_the_heartbeat_reports_at_once_and_again_and_the_end(registry: WorkerRegistry, clock: FakeClock) -> None:
    stopping = threading.Event()
    thread = WorkerHeartbeat(registry, WORKER, 0.01, clock).run_in_background(stopping)
    eventually(lambda: states(registry) == [("worker-1", "running")])
    clock.now += timedelta(minutes=1)
    eventually(lambda: states(registry) == [("worker-1", "running")])
    stopping.set()
    thread.join(5)
    assert states(registry) == [("worker-1", "stopped")]


def test_a_failing_store_ends_no_heartbeat_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    registry, stopping = FlakyRegistry(), threading.Event()
    registry.down = True
    thread = WorkerHeartbeat(registry, WORKER, 0.01).run_in_background(stopping)
    eventually(lambda: registry.calls.count("failed report") >= 2)
    registry.down = False
    eventually(lambda: "report" in registry.calls)
    stopping.set()
    thread.join(5)
    assert registry.calls[-1] == "remove"
    assert len(registry.starts) == 1
    assert [line.levelname for line in caplog.records if line.levelname == "WARNING"] == ["WARNING"]
