"""Signs of life of the worker."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from services.common.dapr.sidecar import TransientError
from services.orderprocessing.engine.liveness import LIVENESS_WORKFLOW, LivenessProbe, replica_name
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
        self.pulse = LivenessProbe(self.start, "host-3600", answer_within=0.0, clock=self.ticks)
        self.run: Any = self.pulse.workflow()

    def start(self, instance: str) -> None:
        if self.away:
            raise TransientError("the engine is away")
        self.started.append(instance)
        if self.own(instance):
            self.run(None, None)


def test_there_is_no_life_before_the_first_sign() -> None:
    one = FakePlacement()
    assert not one.pulse.alive()
    assert one.pulse.beat()
    assert one.pulse.alive()


def test_life_is_lost_half_a_minute_after_the_last_sign() -> None:
    one = FakePlacement()
    one.pulse.beat()
    one.away = True
    one.ticks.now += 29
    assert (one.pulse.beat(), one.pulse.alive()) == (False, True)
    one.ticks.now += 2
    assert (one.pulse.beat(), one.pulse.alive()) == (False, False)
    one.away = False
    assert (one.pulse.beat(), one.pulse.alive()) == (True, True)


def test_where_activities_run_no_pulse_is_started() -> None:
    one = FakePlacement()
    activity = one.pulse.noted(lambda _ctx, payload: payload)
    for _ in range(20):
        one.ticks.now += 9
        assert activity(None, 1) == 1
        assert one.pulse.beat()
    assert one.started == []


def test_an_activity_that_fails_is_a_sign_of_life_too() -> None:
    one = FakePlacement()

    def fails(_ctx: object, _payload: object) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        one.pulse.noted(fails)(None, None)
    assert one.pulse.alive()
    assert one.pulse.noted(fails).__name__ == "fails"


def test_among_replicas_it_looks_for_an_instance_that_leads_here_and_stays_with_it() -> None:
    one = FakePlacement(own=lambda instance: instance.endswith("-3"))
    assert one.pulse.beat()
    assert one.started == [f"pulse-host-3600-{number}" for number in range(4)]
    one.ticks.now += 10
    assert one.pulse.beat()
    assert one.started[4:] == ["pulse-host-3600-3"]


def test_what_only_others_run_is_no_sign_of_life_and_piles_nothing_up() -> None:
    one = FakePlacement(own=lambda _instance: False)
    for _ in range(20):
        one.ticks.now += 10
        assert not one.pulse.beat()
    assert not one.pulse.alive()
    assert len(set(one.started)) == 16


def test_an_engine_that_takes_the_pulse_has_answered_wherever_the_pulse_runs() -> None:
    one = FakePlacement(own=lambda _instance: False)
    one.ticks.now += 10
    one.pulse.beat()
    one.ticks.now += 1
    assert (one.pulse.silence(), one.pulse.unanswered()) == (11, 1)
    one.away = True
    one.pulse.beat()
    one.ticks.now += 1
    assert one.pulse.unanswered() == 2
    one.pulse.sign()
    assert one.pulse.unanswered() == 0


class Pauses:
    """Lets the pauses of a pulse pass at once; `busy_until` something runs each second."""

    def __init__(self, one: FakePlacement, busy_until: float, ends: float) -> None:
        self.one, self.busy_until, self.ends, self.longest = one, one.ticks.now + busy_until, one.ticks.now + ends, 0.0

    def wait(self, seconds: float) -> bool:
        for _ in range(int(seconds * 10)):
            self.one.ticks.now += 0.1
            if self.one.ticks.now < self.busy_until:
                self.one.pulse.sign()
            self.longest = max(self.longest, self.one.pulse.unanswered())
        return self.one.ticks.now > self.ends


@pytest.mark.parametrize("busy", [0.5, 3, 9.5, 14, 25])
def test_an_engine_that_has_nothing_to_do_is_asked_before_it_could_be_taken_for_a_dead_one(busy: float) -> None:
    one = FakePlacement()
    pauses: Any = Pauses(one, busy, 120)
    one.pulse.run(pauses)
    assert len(one.started) > 5
    assert 9 < pauses.longest < 12


def test_it_beats_until_it_is_stopped() -> None:
    beats, stopping = list[str](), threading.Event()
    pulse = LivenessProbe(beats.append, "host", interval=0.001, answer_within=0.0)
    thread = threading.Thread(target=pulse.run, args=(stopping,))
    thread.start()
    eventually(lambda: len(beats) > 20)
    stopping.set()
    thread.join(5)
    assert not thread.is_alive()


def test_its_names_fit_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTNAME", "a.very-long-name-" * 6)
    name = f"pulse-{replica_name(3600)}-15"
    assert len(name) <= 64
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert FakePlacement().pulse.workflow().__name__ == LIVENESS_WORKFLOW
