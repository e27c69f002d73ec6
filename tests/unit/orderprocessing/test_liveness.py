"""Signs of life of the worker."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from services.common.dapr.sidecar import TransientError
from services.orderprocessing.engine.worker.liveness import LIVENESS_WORKFLOW, LivenessProbe, liveness_name
from tests.unit.orderprocessing.polling import eventually


class Ticks:
    """Seconds that stand until they are moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakePlacement:
    """Runs a started pulse in this process if the instance is one of its own."""

    def __init__(self, own: Callable[[str], bool] = lambda _instance: True) -> None:
        self.own, self.started, self.away, self.ticks = own, list[str](), False, Ticks()
        self.liveness = LivenessProbe(self.start, "host-3600", timeout=0.0, clock=self.ticks)
        self.run: Any = self.liveness.workflow()

    def start(self, instance: str) -> None:
        if self.away:
            raise TransientError("the engine is away")
        self.started.append(instance)
        if self.own(instance):
            self.run(None, None)


def test_a_worker_is_not_alive_before_its_first_activity() -> None:
    replica = FakePlacement()
    assert not replica.liveness.alive()
    assert replica.liveness.probe()
    assert replica.liveness.alive()


def test_a_worker_is_dead_half_a_minute_after_its_last_activity() -> None:
    replica = FakePlacement()
    replica.liveness.probe()
    replica.away = True
    replica.ticks.now += 29
    assert (replica.liveness.probe(), replica.liveness.alive()) == (False, True)
    replica.ticks.now += 2
    assert (replica.liveness.probe(), replica.liveness.alive()) == (False, False)
    replica.away = False
    assert (replica.liveness.probe(), replica.liveness.alive()) == (True, True)


def test_while_activities_run_no_liveness_workflow_is_started() -> None:
    replica = FakePlacement()
    activity = replica.liveness.recording(lambda _ctx, payload: payload)
    for _ in range(20):
        replica.ticks.now += 9
        assert activity(None, 1) == 1
        assert replica.liveness.probe()
    assert replica.started == []


def test_a_failed_activity_proves_the_worker_alive_too() -> None:
    replica = FakePlacement()

    def fails(_ctx: object, _payload: object) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        replica.liveness.recording(fails)(None, None)
    assert replica.liveness.alive()
    assert replica.liveness.recording(fails).__name__ == "fails"


def test_among_replicas_the_probe_finds_an_instance_id_of_its_own_and_keeps_it() -> None:
    replica = FakePlacement(own=lambda instance: instance.endswith("-3"))
    assert replica.liveness.probe()
    assert replica.started == [f"liveness-host-3600-{number}" for number in range(4)]
    replica.ticks.now += 10
    assert replica.liveness.probe()
    assert replica.started[4:] == ["liveness-host-3600-3"]


def test_an_instance_on_another_replica_proves_nothing_and_the_number_of_instances_is_limited() -> None:
    replica = FakePlacement(own=lambda _instance: False)
    for _ in range(20):
        replica.ticks.now += 10
        assert not replica.liveness.probe()
    assert not replica.liveness.alive()
    assert len(set(replica.started)) == 16


def test_an_engine_that_accepts_the_liveness_workflow_is_responsive_wherever_it_runs() -> None:
    replica = FakePlacement(own=lambda _instance: False)
    replica.ticks.now += 10
    replica.liveness.probe()
    replica.ticks.now += 1
    assert (replica.liveness.idle_seconds(), replica.liveness.unresponsive_seconds()) == (11, 1)
    replica.away = True
    replica.liveness.probe()
    replica.ticks.now += 1
    assert replica.liveness.unresponsive_seconds() == 2
    replica.liveness.record_activity()
    assert replica.liveness.unresponsive_seconds() == 0


class Pauses:
    """Lets the pauses of a pulse pass at once; `busy_until` something runs each second."""

    def __init__(self, replica: FakePlacement, busy_until: float, ends: float) -> None:
        self.replica, self.busy_until, self.ends, self.longest = (
            replica,
            replica.ticks.now + busy_until,
            replica.ticks.now + ends,
            0.0,
        )

    def wait(self, seconds: float) -> bool:
        for _ in range(int(seconds * 10)):
            self.replica.ticks.now += 0.1
            if self.replica.ticks.now < self.busy_until:
                self.replica.liveness.record_activity()
            self.longest = max(self.longest, self.replica.liveness.unresponsive_seconds())
        return self.replica.ticks.now > self.ends


@pytest.mark.parametrize("busy", [0.5, 3, 9.5, 14, 25])
def test_an_idle_engine_is_probed_before_it_counts_as_unresponsive(busy: float) -> None:
    replica = FakePlacement()
    pauses: Any = Pauses(replica, busy, 120)
    replica.liveness.run(pauses)
    assert len(replica.started) > 5
    assert 9 < pauses.longest < 12


def test_the_probe_runs_until_it_is_stopped() -> None:
    beats, stopping = list[str](), threading.Event()
    probe = LivenessProbe(beats.append, "host", interval=0.001, timeout=0.0)
    thread = threading.Thread(target=probe.run, args=(stopping,))
    thread.start()
    eventually(lambda: len(beats) > 20)
    stopping.set()
    thread.join(5)
    assert not thread.is_alive()


def test_instance_ids_and_workflow_name_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTNAME", "a.very-long-name-" * 6)
    name = f"liveness-{liveness_name(3600, 'a.worker_of-this-name-' * 6)}-15"
    assert len(name) <= 64
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert FakePlacement().liveness.workflow().__name__ == LIVENESS_WORKFLOW
