"""Workers report to a registry, which counts them, chooses the one that reconciles, and adds up their steps."""

import socket
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

import pytest

from launcher.supervision.probe import PROBE_FD, Probe
from services.orderprocessing.adapters.worker_registry import WorkerRegistry, WorkerReport
from services.orderprocessing.engine.worker.heartbeat import Heartbeat
from services.orderprocessing.engine.worker.probe_responder import respond_to_probes
from services.orderprocessing.engine.worker.worker_identity import WorkerIdentity
from services.orderprocessing.recovery.completed_steps import CompletedSteps
from tests.fakes import FakeClock, FakeDocuments
from tests.unit.orderprocessing.polling import eventually


@dataclass
class FakeWorker:
    is_connected: bool = True
    is_alive: bool = True
    steps: int = 0

    def connected(self) -> bool:
        return self.is_connected

    def alive(self) -> bool:
        return self.is_connected and self.is_alive

    def completed(self) -> int:
        return self.steps


class Replicas:
    """Workers of several processes that share only the state store."""

    def __init__(self) -> None:
        self.clock, self.documents = FakeClock(), FakeDocuments()
        self.registry = self.elsewhere()

    def elsewhere(self) -> WorkerRegistry:
        return WorkerRegistry(self.documents, self.clock)

    def worker(self, name: str, sidecar: str = "host-3600") -> tuple[Heartbeat, FakeWorker]:
        worker = FakeWorker()
        heartbeat = Heartbeat(self.elsewhere(), WorkerIdentity(name, "v1"), sidecar, worker.completed, worker)
        heartbeat._report = heartbeat._report.model_copy(update={"started_at": self.clock().isoformat()})
        heartbeat.beat()
        self.clock.advance(0.1)
        return heartbeat, worker


@pytest.fixture
def replicas() -> Replicas:
    return Replicas()


def test_workers_of_other_sidecars_are_counted_until_they_stop_reporting(replicas: Replicas) -> None:
    replicas.worker("one")
    two, _ = replicas.worker("two", "other-3600")
    three, _ = replicas.worker("three", "other-3600")
    assert replicas.registry.count_elsewhere("host-3600") == 2
    three.stop()
    assert replicas.registry.count_elsewhere("host-3600") == 1
    replicas.clock.advance(60)
    assert replicas.registry.count_elsewhere("host-3600") == 0
    two.beat()
    assert replicas.registry.count_elsewhere("host-3600") == 1


def test_a_disconnected_or_stopped_worker_does_not_report(replicas: Replicas) -> None:
    heartbeat, worker = replicas.worker("one")
    replicas.clock.advance(60)
    worker.is_connected = False
    heartbeat.beat()
    assert not replicas.registry.live()
    worker.is_connected = True
    heartbeat.beat()
    assert set(replicas.registry.live()) == {"one"}
    heartbeat.stop()
    heartbeat.beat()
    assert not replicas.registry.all()


def test_workers_that_ended_long_ago_are_forgotten(replicas: Replicas) -> None:
    replicas.worker("one")
    replicas.clock.advance(3600)
    replicas.worker("two")
    assert set(replicas.registry.all()) == {"two"}


def test_the_oldest_live_worker_reconciles_and_the_next_one_takes_over(replicas: Replicas) -> None:
    one, _ = replicas.worker("one")
    two, _ = replicas.worker("two", "other-3600")
    assert (one.leads(), two.leads()) == (True, False)
    replicas.clock.advance(6)
    two.beat()
    assert (one.leads(), two.leads()) == (False, True)
    restarted, _ = replicas.worker("one")
    assert (restarted.leads(), two.leads()) == (False, True)
    two.stop()
    assert restarted.leads()


def test_a_worker_that_runs_nothing_leaves_the_reconciling_to_one_that_does(replicas: Replicas) -> None:
    one, idle = replicas.worker("one")
    two, other = replicas.worker("two", "other-3600")
    idle.is_alive = False
    one.beat()
    assert (one.leads(), two.leads()) == (False, True)
    other.is_alive = False
    two.beat()
    assert (one.leads(), two.leads()) == (True, False)


def test_every_worker_reconciles_while_none_reports(replicas: Replicas) -> None:
    one, _ = replicas.worker("one")
    two, _ = replicas.worker("two")
    replicas.clock.advance(60)
    assert (one.leads(), two.leads()) == (True, True)


def test_a_clock_that_was_set_back_hides_no_worker_for_long(replicas: Replicas) -> None:
    one, _ = replicas.worker("one")
    replicas.clock.advance(-3600)
    assert not replicas.registry.live()
    one.beat()
    assert set(replicas.registry.live()) == {"one"}


def test_completed_steps_are_those_of_all_workers_and_never_shrink() -> None:
    reports: dict[str, WorkerReport] = {}

    def report(name: str, started_at: str, completed: int) -> None:
        reports[name] = WorkerReport(
            version="v1", sidecar="s", process_id=1, started_at=started_at, seen_at="", completed=completed
        )

    def all_reports() -> Mapping[str, WorkerReport]:
        return dict(reports)

    steps = CompletedSteps(all_reports)
    report("one", "9:00", 10)
    report("two", "9:00", 5)
    assert steps() == 15
    report("one", "9:00", 12)
    assert steps() == 17
    report("two", "9:05", 1)  # it was restarted
    assert steps() == 18
    del reports["one"]
    assert steps() == 18


def test_a_process_without_a_port_answers_probes_with_its_state() -> None:
    probe, state = Probe(), "starting"
    with probe.opened() as descriptor:
        respond_to_probes(socket.dup(descriptor), lambda: {"Worker-State": state})
    assert probe.answers()
    assert probe.headers["worker-state"] == "starting"
    state = "running"
    assert probe.answers()
    assert probe.headers["worker-state"] == "running"
    probe.close()
    assert not probe.answers()
    assert probe.headers == {}
    eventually(lambda: not [thread for thread in threading.enumerate() if thread.name == "probe"])


def test_a_descriptor_that_is_no_socket_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    with closing(socket.socket()) as unused:
        number = unused.fileno()
    respond_to_probes(number, dict)
    assert f"{PROBE_FD} is not an open socket" in caplog.text
