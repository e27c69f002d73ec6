"""A test session that holds processes until it is ended; collected only by name, by test_reaper.py.

HELD_AT says where it waits: in the `start` of its fixture, at `work` in its test, or at the `end` of its fixture.
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
    # The second is one that no signal but SIGKILL ends, the third has left for a session of its own.
    stubborn = "trap '' TERM HUP INT; while true; do sleep 1; done"
    commands: list[list[str | Path]] = [["sleep", "60"], ["sh", "-c", stubborn], ["setsid", "sh", "-c", "sleep 60; :"]]
    children = [Child(f"child {number}", command, tmp_path) for number, command in enumerate(commands)]
    _wait("start")
    yield children
    _wait("end")


def test_hold(processes: list[Child]) -> None:
    _wait("work")
