"""The wall clock of real processes is set, forward and back, without the machine's clock."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.chaos import vdso
from tests.chaos.vdso import ClockNotAdjustableError, Vdso
from tests.chaos.wall_clock import WallClock, require_adjustable
from tests.e2e.polling import eventually

HOUR = 3600
READER = """
import ctypes, os, struct, sys, time
libc = ctypes.CDLL(None)
for line in sys.stdin:
    if line == "exec\\n":
        print("executing", flush=True)
        os.execv(sys.executable, [sys.executable, "-c", os.environ["READER"]])
    timeval = ctypes.create_string_buffer(16)
    libc.gettimeofday(timeval, None)
    print(time.time(), libc.time(None), struct.unpack("qq", timeval)[0], time.monotonic(), flush=True)
"""
BUSY = """
import sys, threading, time
def read():
    while running:
        time.time(), time.monotonic()
running = True
threads = [threading.Thread(target=read) for _ in range(4)]
for thread in threads: thread.start()
print("ready", flush=True)
sys.stdin.readline()
running = False
for thread in threads: thread.join()
"""


@pytest.fixture(scope="module", autouse=True)
def adjustable() -> None:
    try:
        require_adjustable()
    except ClockNotAdjustableError as error:
        pytest.skip(str(error))


@dataclass
class Reader:
    """A process that reads its clocks when asked."""

    process: subprocess.Popen[str]

    def clocks(self) -> list[float]:
        """Return by how much each wall clock is ahead of this process's, then by how much the monotonic clock is."""
        self._send("read")
        assert self.process.stdout is not None
        *walls, monotonic = map(float, self.process.stdout.readline().split())
        return [*(wall - time.time() for wall in walls), monotonic - time.monotonic()]

    def ahead(self) -> int:
        """Return by how many hours all wall clocks are ahead. The monotonic clock must not be."""
        *walls, monotonic = self.clocks()
        assert abs(monotonic) < HOUR / 2
        hours = {round(wall / HOUR) for wall in walls}
        assert len(hours) == 1, walls
        return hours.pop()

    def execute_another_program(self) -> None:
        self._send("exec")
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "executing\n"

    def _send(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()


def start(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"READER": READER},
    )


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Return a list for processes, which are killed at the end."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def clock(processes: list[subprocess.Popen[str]]) -> Iterator[WallClock]:
    with WallClock(lambda: [process.pid for process in processes]) as clock:
        yield clock


def reader(processes: list[subprocess.Popen[str]]) -> Reader:
    processes.append(start(READER))
    reader = Reader(processes[-1])
    assert reader.ahead() == 0
    return reader


def test_every_function_of_the_wall_clock_jumps_and_the_monotonic_clock_does_not(
    clock: WallClock, processes: list[subprocess.Popen[str]]
) -> None:
    first, second = reader(processes), reader(processes)
    for hours in (1, 0, -1, 0):
        clock.set_ahead(hours * HOUR)
        assert [first.ahead(), second.ahead()] == [hours, hours]


def test_new_process_gets_the_clock_of_the_others(clock: WallClock, processes: list[subprocess.Popen[str]]) -> None:
    clock.set_ahead(HOUR)
    processes.append(start(READER))
    eventually(lambda: Reader(processes[-1]).ahead() == 1)


def test_process_keeps_the_clock_when_it_executes_another_program(
    clock: WallClock, processes: list[subprocess.Popen[str]]
) -> None:
    process = reader(processes)
    clock.set_ahead(HOUR)
    process.execute_another_program()
    eventually(lambda: process.ahead() == 1)


def test_threads_that_read_the_clock_all_the_time_survive_the_patch(
    clock: WallClock, processes: list[subprocess.Popen[str]]
) -> None:
    for _ in range(10):
        busy = start(BUSY)
        assert busy.stdout is not None
        busy.stdout.readline()
        processes.append(busy)
        clock.set_ahead(HOUR)
        busy.communicate("stop\n", timeout=30)
        assert busy.returncode == 0


def test_processes_have_the_machines_time_again_at_the_end(processes: list[subprocess.Popen[str]]) -> None:
    process = reader(processes)
    with WallClock(lambda: [process.process.pid]) as clock:
        clock.set_ahead(HOUR)
    assert process.ahead() == 0


def test_process_that_has_ended_is_ignored(clock: WallClock, processes: list[subprocess.Popen[str]]) -> None:
    process, ended = reader(processes), start("pass")
    ended.wait()
    processes.append(ended)
    clock.set_ahead(HOUR)
    assert process.ahead() == 1


def test_other_machines_are_refused_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(ClockNotAdjustableError, match="for x86-64, not for aarch64"):
        require_adjustable()


def test_vdso_without_the_functions_is_refused_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Vdso.of(os.getpid())
    assert own is not None
    monkeypatch.setitem(vdso.CODE, "__vdso_unknown", vdso.CODE["__vdso_time"])
    with pytest.raises(ClockNotAdjustableError, match="the vDSO has no __vdso_unknown"):
        Vdso.of(os.getpid())


def test_functions_are_found_where_the_system_has_them() -> None:
    own = Vdso.of(os.getpid())
    assert own is not None
    assert set(own.functions) == set(vdso.CODE)
    assert own.ahead() is None
