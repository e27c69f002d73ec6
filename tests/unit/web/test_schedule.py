"""The schedule and the paced sender of the load generator, which chaos tests and benchmarks use too."""

import threading
import time
from math import inf

import pytest

from services.load_generator.paced_sender import PacedSender
from services.load_generator.schedule import Schedule
from tests.unit.orderprocessing.polling import eventually


def test_tasks_run_in_the_order_in_which_they_are_due() -> None:
    schedule, done = Schedule(threads=1), list[str]()
    schedule.later(0.05, lambda: done.append("second"))
    schedule.later(0.0, lambda: done.append("first"))
    assert not schedule.idle
    eventually(lambda: schedule.idle)
    assert done == ["first", "second"]
    schedule.stop()


def test_an_error_of_a_task_is_kept_and_the_other_tasks_run() -> None:
    schedule, done = Schedule(threads=1), threading.Event()
    schedule.later(0.0, lambda: 1 / 0)
    schedule.later(0.0, done.set)
    assert done.wait(5)
    schedule.stop()
    [error] = schedule.errors
    assert "ZeroDivisionError" in error


def test_stopping_drops_planned_tasks_and_waits_for_running_ones() -> None:
    schedule, started, finish, done = Schedule(threads=2), threading.Event(), threading.Event(), list[str]()

    def task() -> None:
        started.set()
        finish.wait(5)
        done.append("running")

    schedule.later(0.0, task)
    schedule.later(60.0, lambda: done.append("planned"))
    assert started.wait(5)
    schedule.stop(wait=False)
    assert done == []
    threading.Timer(0.05, finish.set).start()
    schedule.stop()
    assert done == ["running"]
    assert schedule.idle


def test_every_number_is_sent_once_at_its_time() -> None:
    sent: list[tuple[int, float]] = []
    began = time.monotonic()
    sender = PacedSender(lambda number: sent.append((number, time.monotonic() - began)), total=5, rate=50, threads=3)
    sender.start()
    sender.wait()
    assert sorted(number for number, _ in sent) == [0, 1, 2, 3, 4]
    assert all(at >= number / 50 for number, at in sent)
    assert not sender.active


def test_with_an_infinite_rate_all_threads_are_always_busy() -> None:
    together = threading.Barrier(4, timeout=5)
    sender = PacedSender(lambda _number: together.wait(), total=8, rate=inf, threads=4)
    sender.start()
    sender.wait()
    assert not sender.active


def test_a_call_that_waits_for_a_thread_is_overdue_until_the_sender_is_stopped() -> None:
    finish = threading.Event()
    sender = PacedSender(lambda _number: finish.wait(5), total=3, rate=1000, threads=1)
    sender.start()
    eventually(lambda: sender.overdue > 0.01)
    assert sender.lateness >= 0.01
    sender.stop()
    assert sender.overdue == 0
    finish.set()
    sender.wait()


def test_an_error_of_a_call_is_raised_after_the_other_calls() -> None:
    sent: list[int] = []

    def send(number: int) -> None:
        if number == 0:
            raise ValueError("no")
        sent.append(number)

    sender = PacedSender(send, total=4, rate=inf, threads=2)
    sender.start()
    with pytest.raises(ValueError, match="no"):
        sender.wait()
    assert sorted(sent) == [1, 2, 3]
