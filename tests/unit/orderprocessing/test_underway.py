"""Activities that are under way when the process is told to stop."""

import threading
from typing import Any

import pytest

from services.orderprocessing.engine.in_flight import Underway
from services.orderprocessing.workflows.registry import bound_activities
from tests.e2e.polling import eventually
from tests.unit.orderprocessing.world import AT_A, World


class Work(threading.Thread):
    """An activity that takes until it is let go."""

    def __init__(self, underway: Underway) -> None:
        super().__init__(daemon=True)
        self._underway = underway
        self.began, self.may_end, self.result = threading.Event(), threading.Event(), ""
        self.start()

    def run(self) -> None:
        self.result = self._underway.run(self._work)

    def _work(self) -> str:
        self.began.set()
        self.may_end.wait()
        return "done"


def test_the_end_waits_for_what_runs() -> None:
    underway = Underway()
    work = Work(underway)
    work.began.wait()
    ended: list[bool] = []
    stopping = threading.Thread(target=lambda: ended.append(underway.stop(30)), daemon=True)
    stopping.start()
    eventually(lambda: underway._stopped)
    assert ended == []
    work.may_end.set()
    stopping.join(30)
    assert (ended, work.result) == ([True], "done")


def test_what_comes_after_the_stop_does_not_begin() -> None:
    underway = Underway()
    assert underway.stop(1)
    late = Work(underway)
    late.may_end.set()
    assert not late.began.wait(0.2)
    assert late.is_alive()


def test_the_end_does_not_wait_for_ever() -> None:
    underway = Underway()
    Work(underway).began.wait()
    assert underway.stop(0.05) is False


def test_an_activity_that_fails_is_over_too() -> None:
    underway = Underway()

    def fail() -> None:
        raise ValueError("told to")

    with pytest.raises(ValueError, match="told to"):
        underway.run(fail)
    assert underway.stop(1)


def test_every_activity_is_run_by_what_surrounds_it() -> None:
    world, surrounded = World(), []

    def around(work: Any) -> Any:
        surrounded.append(True)
        return work()

    world.driver.use(bound_activities(world.tools, around))
    world.place(AT_A)
    world.finish()
    assert len(surrounded) >= 4
