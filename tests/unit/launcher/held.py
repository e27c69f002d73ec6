"""A test session that keeps child processes running until it is ended. Only test_reaper.py collects it, by name.

HELD_AT selects where it waits: in the `start` of its fixture, at `work` in its test, or at the `end` of its fixture.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.supervision.child_process import Child


def _wait(moment: str) -> None:
    if os.environ["HELD_AT"] == moment:
        os.write(1, f"held at {moment}\n".encode())
        time.sleep(60)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[list[Child]]:
    # Only SIGKILL ends the second process. The third runs in its own session.
    stubborn = "trap '' TERM HUP INT; while true; do sleep 1; done"
    commands: list[list[str | Path]] = [["sleep", "60"], ["sh", "-c", stubborn], ["setsid", "sh", "-c", "sleep 60; :"]]
    children = [Child(f"child {number}", command, tmp_path) for number, command in enumerate(commands)]
    _wait("start")
    yield children
    _wait("end")


def test_hold(processes: list[Child]) -> None:
    _wait("work")
