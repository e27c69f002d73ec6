"""The list of workers for operators."""

from datetime import timedelta

import pytest

from services.orderprocessing.adapters.worker_registry import WorkerRegistry, WorkerReport
from services.orderprocessing.api.app import create_app
from services.orderprocessing.api.worker_routes import workers_of
from tests.fakes import FakeClock, FakeDocuments
from tests.unit.orderprocessing.world import World

START = "2026-11-21T08:59:00.000Z"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def registry(clock: FakeClock) -> WorkerRegistry:
    return WorkerRegistry(FakeDocuments(), clock)


def report(version: str = "v1", started_at: str = START, alive: bool = True) -> WorkerReport:
    return WorkerReport(version=version, sidecar="host-3600", process_id=7, started_at=started_at, alive=alive)


def states(registry: WorkerRegistry) -> list[tuple[str, str]]:
    return [(worker.name, worker.status) for worker in workers_of(registry)]


def test_before_the_first_report_the_list_is_empty(registry: WorkerRegistry) -> None:
    assert workers_of(registry) == []


def test_a_worker_is_listed_with_version_start_and_last_report(registry: WorkerRegistry) -> None:
    registry.report("worker-1", report())
    assert [worker.to_json() for worker in workers_of(registry)] == [
        {
            "name": "worker-1",
            "version": "v1",
            "status": "running",
            "since": START,
            "lastSeenAt": "2026-11-21T09:00:00.000Z",
        }
    ]


def test_a_worker_on_which_nothing_has_run_is_starting(registry: WorkerRegistry) -> None:
    registry.report("worker-1", report(alive=False))
    assert states(registry) == [("worker-1", "starting")]


def test_workers_that_live_come_before_those_that_were_lost(registry: WorkerRegistry, clock: FakeClock) -> None:
    for name in ("worker-1", "worker-4"):
        registry.report(name, report())
        clock.now += timedelta(seconds=1)
    clock.now += timedelta(seconds=10)
    for name in ("worker-3", "worker-2"):
        registry.report(name, report())
    expected = [("worker-2", "running"), ("worker-3", "running"), ("worker-4", "lost"), ("worker-1", "lost")]
    assert states(registry) == expected


def test_a_restarted_worker_is_listed_once_with_its_new_start(registry: WorkerRegistry, clock: FakeClock) -> None:
    registry.report("worker-1", report())
    clock.now += timedelta(seconds=20)
    assert states(registry) == [("worker-1", "lost")]
    registry.report("worker-1", report("v2", started_at="2026-11-21T09:00:20.000Z"))
    [worker] = workers_of(registry)
    assert (worker.version, worker.status, worker.since) == ("v2", "running", "2026-11-21T09:00:20.000Z")


def test_a_worker_that_stops_in_order_leaves_the_list(registry: WorkerRegistry) -> None:
    registry.report("worker-1", report())
    registry.remove("worker-1")
    assert workers_of(registry) == []


def test_operators_get_the_workers_over_http(world: World, registry: WorkerRegistry) -> None:
    registry.report("worker-1", report())
    app = create_app(world.orders, world.service, world.driver, world.clock, workers=lambda: workers_of(registry))
    answer = app.test_client().get("/workers")
    assert (answer.status_code, answer.get_json()) == (200, [worker.to_json() for worker in workers_of(registry)])
