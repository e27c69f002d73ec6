"""The reconciler in the background: its rounds, its follow-ups, its errors."""

import threading
from datetime import datetime

import pytest

from services.common.dapr.sidecar import TransientError
from services.orderprocessing.recovery import scan_loop
from tests.unit.orderprocessing.polling import eventually, throughout


class Reconciling:
    """A reconciler that fails in both ways before it works, and has something to follow up after that."""

    def __init__(self, faults: int = 2, duration: float = 0.0) -> None:
        self.runs, self.follow_ups, self.faults, self.duration = 0, 0, faults, duration
        self.mends = 0
        self.worked, self.followed = threading.Event(), threading.Event()

    def scan(self, now: datetime) -> int:
        self.runs += 1
        if self.runs == 1 and self.faults:
            raise TransientError("not yet")
        if self.runs == 2 and self.faults:
            raise ValueError("a fault of its own")
        threading.Event().wait(self.duration)
        self.worked.set()
        return self.mends

    def follow_up(self, now: datetime) -> int:
        self.follow_ups += 1
        self.followed.set()
        return 1

    def follow_up_in(self) -> float | None:
        return None if self.followed.is_set() or not self.worked.is_set() else 0.001


def test_the_scan_loop_continues_after_errors_until_it_is_stopped() -> None:
    stop, one = threading.Event(), Reconciling()
    thread = scan_loop.run_in_background(one, 0.001, stop)
    assert one.worked.wait(5)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    runs = one.runs
    throughout(0.02, lambda: one.runs == runs)


def test_the_scan_loop_follows_up_between_scans() -> None:
    stop, one = threading.Event(), Reconciling(faults=0)
    thread = scan_loop.run_in_background(one, 3600, stop)
    assert one.followed.wait(5)
    stop.set()
    thread.join(5)
    assert (one.runs, one.follow_ups) == (1, 1)


def test_a_long_scan_does_not_delay_the_follow_up() -> None:
    stop, one = threading.Event(), Reconciling(faults=0, duration=0.4)
    thread = scan_loop.run_in_background(one, 3600, stop)
    assert one.worked.wait(5)
    assert one.followed.wait(1)
    stop.set()
    thread.join(5)


def test_a_long_scan_with_repairs_is_soon_followed_by_another() -> None:
    stop, one = threading.Event(), Reconciling(faults=0, duration=0.3)
    one.mends = 1
    thread = scan_loop.run_in_background(one, 0.01, stop)
    eventually(lambda: one.runs > 2)
    stop.set()
    thread.join(5)


def test_the_scan_loop_retries_soon_after_a_transient_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_loop, "_RETRY", 0.001)
    stop, one = threading.Event(), Reconciling()
    thread = scan_loop.run_in_background(one, 3600, stop)
    eventually(lambda: one.runs == 2)
    stop.set()
    thread.join(5)


def test_a_process_scans_only_while_it_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_loop, "_LEADER_CHECK", 0.001)
    stop, one, leads = threading.Event(), Reconciling(faults=0), threading.Event()
    thread = scan_loop.run_in_background(one, 0.001, stop, leads.is_set)
    throughout(0.02, lambda: one.runs == 0)
    leads.set()
    eventually(lambda: one.runs > 2)
    stop.set()
    thread.join(5)
