"""Activities that are under way when the process is told to stop."""

import threading
from typing import Any

import pytest

from services.orderprocessing.engine.worker.activity_recorder import ActivityRecorder
from services.orderprocessing.engine.worker.in_flight import InFlightActivities
from services.orderprocessing.registry import bound_activities
from tests.e2e.polling import eventually
from tests.unit.orderprocessing.world import AT_A, WORKER, World


class Work(threading.Thread):
    """An activity that takes until it is let go."""

    def __init__(self, in_flight: InFlightActivities) -> None:
        super().__init__(daemon=True)
        self._in_flight = in_flight
        self.began, self.may_end, self.result = threading.Event(), threading.Event(), ""
        self.start()

    def run(self) -> None:
        self.result = self._in_flight.run(self._work)

    def _work(self) -> str:
        self.began.set()
        self.may_end.wait()
        return "done"


def test_the_end_waits_for_what_runs() -> None:
    in_flight = InFlightActivities()
    work = Work(in_flight)
    work.began.wait()
    ended: list[bool] = []
    stopping = threading.Thread(target=lambda: ended.append(in_flight.stop(30)), daemon=True)
    stopping.start()
    eventually(lambda: in_flight._stopped)
    assert ended == []
    work.may_end.set()
    stopping.join(30)
    assert (ended, work.result) == ([True], "done")


def test_what_comes_after_the_stop_does_not_begin() -> None:
    in_flight = InFlightActivities()
    assert in_flight.stop(1)
    late = Work(in_flight)
    late.may_end.set()
    assert not late.began.wait(0.2)
    assert late.is_alive()


def test_the_end_does_not_wait_for_ever() -> None:
    in_flight = InFlightActivities()
    Work(in_flight).began.wait()
    assert in_flight.stop(0.05) is False


def test_an_activity_that_fails_is_over_too() -> None:
    in_flight = InFlightActivities()

    def fail() -> None:
        raise ValueError("told to")

    with pytest.raises(ValueError, match="told to"):
        in_flight.run(fail)
    assert in_flight.stop(1)


def test_every_activity_is_run_by_what_surrounds_it() -> None:
    world, surrounded = World(), []

    def around(work: Any) -> Any:
        surrounded.append(True)
        return work()

    world.driver.use(bound_activities(world.deps, ActivityRecorder(WORKER), around))
    world.place(AT_A)
    world.finish()
    assert len(surrounded) >= 4
