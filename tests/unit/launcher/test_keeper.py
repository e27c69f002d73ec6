"""Supervision: what is started again, what is given up, and what is said about it. The processes are real."""

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

Keep = Callable[..., SupervisedProcess]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"FIRST_PAUSE_S": 0.02, "LONGEST_PAUSE_S": 0.05, "POLL_S": 0.02, "PROBE_S": 0.02}.items():
        monkeypatch.setattr(supervisor, name, seconds)


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Keep]:
    started: list[SupervisedProcess] = []

    def start(script: str, answers: Callable[[], bool] = lambda: True) -> SupervisedProcess:
        started.append(
            SupervisedProcess(ProcessSpec("thing", ["sh", "-c", script], answers, fatal_exit_code=2), tmp_path)
        )
        return started[-1]

    yield start
    stop_supervised(started, 5)


def test_a_killed_process_is_started_again_and_the_console_says_so(
    keep: Keep, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = keep("exec sleep 60")
    eventually(lambda: kept.is_up)
    before = kept.pid
    assert before
    os.kill(before, signal.SIGKILL)
    eventually(lambda: kept.is_up and kept.pid not in (None, before))
    assert "thing was ended by SIGKILL; starting it again in 0.02 s." in capsys.readouterr().out


def test_a_process_that_ends_after_it_was_up_is_started_for_ever(keep: Keep, tmp_path: Path) -> None:
    kept = keep(f"echo x >> {tmp_path}/starts; sleep 0.05")
    starts = tmp_path / "starts"
    eventually(lambda: starts.exists() and len(starts.read_text().splitlines()) > supervisor.TRIES + 2)
    assert not kept.given_up


def test_a_process_that_never_comes_up_is_given_up_with_the_end_of_its_log(keep: Keep, tmp_path: Path) -> None:
    kept = keep(f"echo x >> {tmp_path}/starts; echo out of luck; exit 7", answers=lambda: False)
    sentence = eventually(lambda: kept.given_up)
    assert f"thing ended with exit code 7, {supervisor.TRIES} times in a row before it was up" in sentence
    assert sentence.endswith("out of luck")
    assert len((tmp_path / "starts").read_text().splitlines()) == supervisor.TRIES
    with pytest.raises(LaunchError, match="exit code 7"):
        kept.wait_up(5)


def test_a_wrong_configuration_is_not_tried_again(keep: Keep, tmp_path: Path) -> None:
    kept = keep(f"echo x >> {tmp_path}/starts; echo APP_PORT is wrong; exit 2", answers=lambda: False)
    assert "thing cannot run with its configuration" in eventually(lambda: kept.given_up)
    assert (tmp_path / "starts").read_text() == "x\n"


def test_a_process_that_lives_but_does_not_answer_is_killed_and_started_again(
    keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SILENT_S", 0.1)
    answering = [True]
    kept = keep("exec sleep 60", answers=lambda: answering[0])
    eventually(lambda: kept.is_up)
    before = kept.pid
    answering[0] = False
    eventually(lambda: kept.pid not in (None, before))
    answering[0] = True
    eventually(lambda: kept.is_up)


def test_while_it_is_stopped_on_purpose_it_stays_down_and_then_comes_back_at_once(
    keep: Keep, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = keep("exec sleep 60")
    eventually(lambda: kept.is_up)
    with kept.stopped():
        assert kept.pid is None
        assert not kept.is_up
    eventually(lambda: kept.is_up)
    assert capsys.readouterr().out == ""


def test_what_was_given_up_can_be_stopped_and_started_again(keep: Keep, tmp_path: Path) -> None:
    kept = keep(f"test -e {tmp_path}/mended && exec sleep 60; exit 2")
    eventually(lambda: kept.given_up)
    with kept.stopped():
        (tmp_path / "mended").touch()
    eventually(lambda: kept.is_up)
    assert not kept.given_up


def test_a_process_that_cannot_be_started_just_now_is_tried_again(
    keep: Keep, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = keep("exec sleep 60")
    eventually(lambda: kept.is_up)
    failures = [OSError("no memory"), OSError("no memory")]

    def child(*args: Any, **options: Any) -> Child:
        if failures:
            raise failures.pop()
        return Child(*args, **options)

    monkeypatch.setattr(supervisor, "Child", child)
    before = kept.pid
    assert before
    os.kill(before, signal.SIGKILL)
    eventually(lambda: kept.is_up and kept.pid not in (None, before))
    assert capsys.readouterr().out.count("cannot be started: no memory") == 2


def test_what_is_no_longer_kept_stays_down(keep: Keep) -> None:
    kept = keep("exec sleep 60")
    kept.leave()
    assert kept.pid
    os.kill(kept.pid, signal.SIGKILL)
    eventually(lambda: kept.pid is None)
    assert not kept.given_up


def test_one_log_holds_what_all_starts_wrote(keep: Keep) -> None:
    kept = keep("echo hello; sleep 0.05")
    eventually(lambda: kept.log.read_text().count("hello") >= 3)
