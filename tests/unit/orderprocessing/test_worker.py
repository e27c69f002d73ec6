"""The worker of this process: connected whenever the sidecar is up."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from services.common.dapr.sidecar import TransientError
from services.orderprocessing.engine import liveness as pulse_module
from services.orderprocessing.engine import worker as worker_module
from services.orderprocessing.engine.liveness import LivenessProbe
from services.orderprocessing.engine.worker import Worker, worker_maker
from services.orderprocessing.registry import WORKFLOWS, bound_activities
from tests.unit.orderprocessing.host import FakeHost
from tests.unit.orderprocessing.polling import eventually, throughout
from tests.unit.orderprocessing.world import World


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
def host() -> FakeHost:
    return FakeHost(1)


class Engine:
    """Takes the pulse workflow, and never runs it, unless it takes nothing at all."""

    def __init__(self) -> None:
        self.input_type = True

    def __call__(self, _instance: str) -> None:
        if not self.input_type:
            raise TransientError("no answer")


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def make_worker(
    host: FakeHost, workers: Workers, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[bool], Worker]]:
    monkeypatch.setattr(worker_module, "_PATIENCE", 0.0)
    monkeypatch.setattr(worker_module, "_DEAF_FOR", 0.05)
    monkeypatch.setattr(pulse_module, "_HURRY", 0.01)
    made: list[Worker] = []

    def make(supervised: bool) -> Worker:
        pulse = LivenessProbe(engine, "test", interval=0.01, answer_within=0)
        made.append(Worker(host, workers, pulse, supervised, check=0.002))
        return made[-1]

    yield make
    for worker in made:
        worker.stop(1)


@pytest.fixture
def worker(make_worker: Callable[[bool], Worker]) -> Worker:
    return make_worker(True)


def test_a_worker_connects_when_the_sidecar_is_up_and_not_before(
    worker: Worker, host: FakeHost, workers: Workers
) -> None:
    host.workers = None
    worker.start()
    throughout(0.02, lambda: not workers.made)
    host.workers = 1
    eventually(lambda: bool(workers.made) and workers.made[0].ready)


def test_a_worker_that_lost_its_sidecar_is_renewed_once_the_sidecar_is_back(
    worker: Worker, host: FakeHost, workers: Workers
) -> None:
    worker.start()
    eventually(lambda: bool(workers.made) and workers.made[0].ready)
    throughout(0.02, lambda: len(workers.made) == 1)
    host.workers, workers.made[0].ready = None, False
    throughout(0.02, lambda: len(workers.made) == 1)
    host.workers = 1
    eventually(lambda: workers.made[-1].ready and workers.made[0].closed)


def test_a_worker_that_cannot_be_renewed_now_is_renewed_later(worker: Worker, workers: Workers) -> None:
    workers.fail = True
    worker.start()
    eventually(lambda: bool(workers.made) and workers.made[0].ready)


def test_a_sidecar_that_does_not_take_the_worker_in_is_asked_to_end_ever_more_rarely(
    worker: Worker, host: FakeHost
) -> None:
    host.workers = 0
    worker.start()
    eventually(lambda: host.shut_downs >= 3)
    asked = host.shut_downs
    throughout(0.1, lambda: host.shut_downs <= asked + 1)


def test_a_sidecar_that_nobody_starts_again_is_never_asked_to_end_and_the_worker_goes_on_trying(
    make_worker: Callable[[bool], Worker], host: FakeHost, workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    host.workers = 0
    make_worker(False).start()
    eventually(lambda: len(workers.made) >= 3)
    assert host.shut_downs == 0
    assert workers.made[0].closed
    assert "does not take the worker in, which connects again" in caplog.text


def test_a_sidecar_that_takes_workflows_is_left_alone_also_when_none_of_them_runs_here(
    worker: Worker, host: FakeHost
) -> None:
    worker.start()
    throughout(0.3, lambda: host.shut_downs == host.asked_for_the_scheduler == 0)


def test_a_sidecar_that_has_the_worker_and_takes_no_workflow_is_asked_to_end(
    worker: Worker, host: FakeHost, engine: Engine
) -> None:
    engine.input_type = False
    worker.start()
    eventually(lambda: host.shut_downs >= 2)
    asked = host.shut_downs
    throughout(0.1, lambda: host.shut_downs == asked)


def test_a_sidecar_without_a_scheduler_is_left_alone_and_has_time_when_the_scheduler_is_back(
    worker: Worker, host: FakeHost, engine: Engine
) -> None:
    engine.input_type = host.scheduler = False
    worker.start()
    throughout(0.3, lambda: host.shut_downs == 0)
    host.scheduler = True
    throughout(0.05, lambda: host.shut_downs == 0)
    eventually(lambda: host.shut_downs >= 1)


def test_a_stopped_worker_is_closed_and_not_renewed(worker: Worker, workers: Workers) -> None:
    worker.start()
    eventually(lambda: bool(workers.made) and workers.made[0].ready)
    worker.stop(1)
    assert workers.made[0].closed
    throughout(0.02, lambda: len(workers.made) == 1)


def test_workflows_and_activities_may_be_registered_with_one_worker_after_another(world: World) -> None:
    make = worker_maker(WORKFLOWS, bound_activities(world.deps), LivenessProbe(lambda _instance: None, "test"))
    assert make() is not make()
