"""The supervisor restarts processes, stops after repeated failures, and reports both. The processes are real."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher.errors import LaunchError
from launcher.supervision import supervisor
from launcher.supervision.child_process import Child
from launcher.supervision.supervisor import ProcessSpec, SupervisedProcess, stop_supervised
from tests.e2e.polling import eventually

Supervise = Callable[..., SupervisedProcess]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {
        "INITIAL_BACKOFF_S": 0.02,
        "MAX_BACKOFF_S": 0.05,
        "POLL_S": 0.02,
        "PROBE_INTERVAL_S": 0.02,
    }.items():
        monkeypatch.setattr(supervisor, name, seconds)


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Supervise]:
    started: list[SupervisedProcess] = []

    def start(script: str, answers: Callable[[], bool] = lambda: True) -> SupervisedProcess:
        started.append(
            SupervisedProcess(ProcessSpec("thing", ["sh", "-c", script], answers, fatal_exit_code=2), tmp_path)
        )
        return started[-1]

    yield start
    stop_supervised(started, 5)


def test_killed_process_is_restarted_and_the_console_reports_it(
    supervise: Supervise, capsys: pytest.CaptureFixture[str]
) -> None:
    process = supervise("exec sleep 60")
    eventually(lambda: process.is_up)
    before = process.pid
    assert before
    os.kill(before, signal.SIGKILL)
    eventually(lambda: process.is_up and process.pid not in (None, before))
    assert "thing was killed by SIGKILL; restarting it in 0.02 s." in capsys.readouterr().out


def test_process_with_a_niceness_is_started_with_it(tmp_path: Path) -> None:
    process = SupervisedProcess(ProcessSpec("thing", ["sleep", "60"], lambda: True, niceness=3), tmp_path)
    try:
        own = os.getpriority(os.PRIO_PROCESS, 0)
        eventually(lambda: os.getpriority(os.PRIO_PROCESS, process.pid or 0) == min(own + 3, 19))
    finally:
        stop_supervised([process], 5)


def test_process_that_exits_after_it_was_up_is_always_restarted(supervise: Supervise, tmp_path: Path) -> None:
    process = supervise(f"echo x >> {tmp_path}/starts; sleep 0.05")
    starts = tmp_path / "starts"
    eventually(lambda: starts.exists() and len(starts.read_text().splitlines()) > supervisor.MAX_START_ATTEMPTS + 2)
    assert not process.failure


def test_process_that_never_comes_up_fails_with_the_end_of_its_log(supervise: Supervise, tmp_path: Path) -> None:
    process = supervise(f"echo x >> {tmp_path}/starts; echo out of luck; exit 7", answers=lambda: False)
    failure = eventually(lambda: process.failure)
    assert f"thing exited with code 7 {supervisor.MAX_START_ATTEMPTS} times in a row before it was up" in failure
    assert failure.endswith("out of luck")
    assert len((tmp_path / "starts").read_text().splitlines()) == supervisor.MAX_START_ATTEMPTS
    with pytest.raises(LaunchError, match="exited with code 7"):
        process.wait_up(5)


def test_process_with_an_invalid_configuration_is_not_restarted(supervise: Supervise, tmp_path: Path) -> None:
    process = supervise(f"echo x >> {tmp_path}/starts; echo APP_PORT is wrong; exit 2", answers=lambda: False)
    assert "thing cannot run with this configuration" in eventually(lambda: process.failure)
    assert (tmp_path / "starts").read_text() == "x\n"


def test_process_that_does_not_answer_is_killed_and_restarted(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "HANG_TIMEOUT_S", 0.1)
    answering = [True]
    process = supervise("exec sleep 60", answers=lambda: answering[0])
    eventually(lambda: process.is_up)
    before = process.pid
    answering[0] = False
    eventually(lambda: process.pid not in (None, before))
    answering[0] = True
    eventually(lambda: process.is_up)


def test_stopped_process_stays_down_and_restarts_at_once_afterwards(
    supervise: Supervise, capsys: pytest.CaptureFixture[str]
) -> None:
    process = supervise("exec sleep 60")
    eventually(lambda: process.is_up)
    with process.stopped():
        assert process.pid is None
        assert not process.is_up
    eventually(lambda: process.is_up)
    assert capsys.readouterr().out == ""


def test_failed_process_can_be_restarted(supervise: Supervise, tmp_path: Path) -> None:
    process = supervise(f"test -e {tmp_path}/fixed && exec sleep 60; exit 2")
    eventually(lambda: process.failure)
    with process.stopped():
        (tmp_path / "fixed").touch()
    eventually(lambda: process.is_up)
    assert not process.failure


def test_start_that_fails_temporarily_is_retried(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    process = supervise("exec sleep 60")
    eventually(lambda: process.is_up)
    failures = [OSError("no memory"), OSError("no memory")]

    def child(*args: Any, **options: Any) -> Child:
        if failures:
            raise failures.pop()
        return Child(*args, **options)

    monkeypatch.setattr(supervisor, "Child", child)
    before = process.pid
    assert before
    os.kill(before, signal.SIGKILL)
    eventually(lambda: process.is_up and process.pid not in (None, before))
    assert capsys.readouterr().out.count("cannot be started: no memory") == 2


def test_released_process_is_not_restarted(supervise: Supervise) -> None:
    process = supervise("exec sleep 60")
    process.release()
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: process.pid is None)
    assert not process.failure


def test_all_starts_share_one_log(supervise: Supervise) -> None:
    process = supervise("echo hello; sleep 0.05")
    eventually(lambda: process.log.read_text().count("hello") >= 3)
