"""The worker of this process: connected whenever the sidecar is up."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from services.common.dapr.sidecar import TransientError
from services.orderprocessing.engine.worker import liveness as liveness_module
from services.orderprocessing.engine.worker import worker as worker_module
from services.orderprocessing.engine.worker.activity_recorder import ActivityRecorder
from services.orderprocessing.engine.worker.liveness import LivenessProbe
from services.orderprocessing.engine.worker.worker import Worker, worker_maker
from services.orderprocessing.registry import WORKFLOWS, bound_activities
from tests.unit.orderprocessing.polling import eventually, throughout
from tests.unit.orderprocessing.workflow_sidecar import FakeWorkflowSidecar
from tests.unit.orderprocessing.world import WORKER, World


class FakeRuntime:
    """The SDK's worker: connects when it is started, unless it is told not to."""

    def __init__(self, connects: bool = True) -> None:
        self.connects, self.ready, self.closed = connects, False, False

    def start(self) -> None:
        self.ready = self.connects

    def shutdown(self) -> None:
        self.ready, self.closed = False, True

    def wait_for_worker_ready(self, timeout: float) -> bool:
        return self.ready


class Workers:
    """Makes workers and remembers them; may fail to make one."""

    def __init__(self) -> None:
        self.made: list[FakeRuntime] = []
        self.fail = False

    def __call__(self) -> Any:
        if self.fail:
            self.fail = False
            raise ValueError("cannot be made")
        self.made.append(FakeRuntime())
        return self.made[-1]


@pytest.fixture
def workers() -> Workers:
    return Workers()


@pytest.fixture
def sidecar() -> FakeWorkflowSidecar:
    return FakeWorkflowSidecar(1)


class Engine:
    """Takes the liveness workflow, and never runs it, unless it takes nothing at all."""

    def __init__(self) -> None:
        self.accepts_work = True

    def __call__(self, _instance: str) -> None:
        if not self.accepts_work:
            raise TransientError("no answer")


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def make_worker(
    sidecar: FakeWorkflowSidecar, workers: Workers, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[bool], Worker]]:
    monkeypatch.setattr(worker_module, "_RECONNECT_AFTER", 0.0)
    monkeypatch.setattr(worker_module, "_UNRESPONSIVE_AFTER", 0.05)
    monkeypatch.setattr(liveness_module, "_RETRY_INTERVAL", 0.01)
    made: list[Worker] = []

    def make(supervised: bool) -> Worker:
        liveness = LivenessProbe(engine, "test", interval=0.01, timeout=0)
        made.append(Worker(sidecar, workers, liveness, supervised, check_interval=0.002))
        return made[-1]

    yield make
    for worker in made:
        worker.stop(1)


@pytest.fixture
def worker(make_worker: Callable[[bool], Worker]) -> Worker:
    return make_worker(True)


def test_a_worker_connects_when_the_sidecar_is_up_and_not_before(
    worker: Worker, sidecar: FakeWorkflowSidecar, workers: Workers
) -> None:
    sidecar.workers = None
    worker.start()
    throughout(0.02, lambda: not workers.made)
    sidecar.workers = 1
    eventually(lambda: bool(workers.made) and workers.made[0].ready)


def test_a_worker_that_lost_its_sidecar_is_renewed_once_the_sidecar_is_back(
    worker: Worker, sidecar: FakeWorkflowSidecar, workers: Workers
) -> None:
    worker.start()
    eventually(lambda: bool(workers.made) and workers.made[0].ready)
    throughout(0.02, lambda: len(workers.made) == 1)
    sidecar.workers, workers.made[0].ready = None, False
    throughout(0.02, lambda: len(workers.made) == 1)
    sidecar.workers = 1
    eventually(lambda: workers.made[-1].ready and workers.made[0].closed)


def test_a_worker_that_cannot_be_renewed_now_is_renewed_later(worker: Worker, workers: Workers) -> None:
    workers.fail = True
    worker.start()
    eventually(lambda: bool(workers.made) and workers.made[0].ready)


def test_a_sidecar_that_reports_no_worker_is_restarted_less_and_less_often(
    worker: Worker, sidecar: FakeWorkflowSidecar
) -> None:
    sidecar.workers = 0
    worker.start()
    eventually(lambda: sidecar.shut_downs >= 3)
    asked = sidecar.shut_downs
    throughout(0.1, lambda: sidecar.shut_downs <= asked + 1)


def test_an_unsupervised_sidecar_is_never_shut_down_and_the_worker_reconnects(
    make_worker: Callable[[bool], Worker],
    sidecar: FakeWorkflowSidecar,
    workers: Workers,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sidecar.workers = 0
    make_worker(False).start()
    eventually(lambda: len(workers.made) >= 3)
    assert sidecar.shut_downs == 0
    assert workers.made[0].closed
    assert "gives the worker no work; reconnecting" in caplog.text


def test_a_sidecar_that_accepts_workflows_is_left_alone(worker: Worker, sidecar: FakeWorkflowSidecar) -> None:
    worker.start()
    throughout(0.3, lambda: sidecar.shut_downs == sidecar.asked_for_the_scheduler == 0)


def test_a_sidecar_that_accepts_no_workflow_is_restarted(
    worker: Worker, sidecar: FakeWorkflowSidecar, engine: Engine
) -> None:
    engine.accepts_work = False
    worker.start()
    eventually(lambda: sidecar.shut_downs >= 2)
    asked = sidecar.shut_downs
    throughout(0.1, lambda: sidecar.shut_downs == asked)


def test_a_sidecar_without_a_scheduler_is_left_alone_and_gets_time_to_recover(
    worker: Worker, sidecar: FakeWorkflowSidecar, engine: Engine
) -> None:
    engine.accepts_work = sidecar.scheduler = False
    worker.start()
    throughout(0.3, lambda: sidecar.shut_downs == 0)
    sidecar.scheduler = True
    throughout(0.05, lambda: sidecar.shut_downs == 0)
    eventually(lambda: sidecar.shut_downs >= 1)


def test_a_stopped_worker_is_closed_and_not_renewed(worker: Worker, workers: Workers) -> None:
    worker.start()
    eventually(lambda: bool(workers.made) and workers.made[0].ready)
    worker.stop(1)
    assert workers.made[0].closed
    throughout(0.02, lambda: len(workers.made) == 1)


def test_workflows_and_activities_may_be_registered_with_one_worker_after_another(world: World) -> None:
    activities = bound_activities(world.deps, ActivityRecorder(WORKER))
    make = worker_maker(WORKFLOWS, activities, LivenessProbe(lambda _instance: None, "test"))
    assert make() is not make()


def test_a_worker_that_is_idle_because_another_one_gets_the_work_keeps_its_sidecar(
    worker: Worker, sidecar: FakeWorkflowSidecar, workers: Workers
) -> None:
    sidecar.workers = 2
    worker.start()
    eventually(worker.connected)
    throughout(0.3, lambda: sidecar.shut_downs == 0 and len(workers.made) == 1)
    assert not worker.alive()
