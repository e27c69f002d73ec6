"""The reaper ends all processes of a command that ends: by any signal, at any moment, also when its `make` is ended.

The commands are real: pytest with child processes, run directly and two levels of make below the one that is ended.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from launcher import commands
from launcher.paths import ROOT
from launcher.supervision import reaper
from tests.commands import Command
from tests.e2e.polling import eventually

_HELD = [sys.executable, "-m", "pytest", "-s", "-p", "pytest_timeout", Path(__file__).with_name("held.py")]
# Loading the plugins takes longer than the test session itself.
_QUICKLY = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
_MOMENTS = [("start", signal.SIGHUP), ("work", signal.SIGTERM), ("work", signal.SIGKILL), ("end", signal.SIGKILL)]
_MOMENTS_OF_MAKE = [("start", signal.SIGTERM), ("work", signal.SIGHUP), ("work", signal.SIGKILL)]


def _makefile(folder: Path) -> Path:
    """Return a makefile that runs the session as `make test` runs its parts: in a nested make."""
    file = folder / "held.mk"
    held = " ".join(map(str, _HELD))
    file.write_text(f"include {ROOT}/Makefile\n\nheld:\n\t+@$(MAKE) -f {file} part\n\npart:\n\t@{held}\n")
    return file


def _under_make(folder: Path) -> list[str | Path]:
    return ["make", "-f", _makefile(folder), "held"]


@pytest.mark.parametrize(("moment", "number"), _MOMENTS)
def test_ended_test_session_leaves_no_process(moment: str, number: signal.Signals) -> None:
    with Command(_HELD, env=_QUICKLY | {"HELD_AT": moment}) as command:
        command.prints(f"held at {moment}")
        assert len(command.processes()) >= 5
        command.send(number)
        command.leaves_nothing()


@pytest.mark.parametrize(("moment", "number"), _MOMENTS_OF_MAKE)
def test_ended_make_leaves_no_process(moment: str, number: signal.Signals, tmp_path: Path) -> None:
    with Command(_under_make(tmp_path), env=_QUICKLY | {"HELD_AT": moment}) as command:
        command.prints(f"held at {moment}")
        command.send(number)
        command.leaves_nothing()


@pytest.mark.parametrize("under_make", [False, True])
def test_closed_terminal_leaves_no_process(under_make: bool, tmp_path: Path) -> None:
    arguments = _under_make(tmp_path) if under_make else _HELD
    with Command(arguments, env=_QUICKLY | {"HELD_AT": "work"}, terminal=True) as command:
        command.prints("held at work")
        command.close_terminal()
        command.leaves_nothing()


def test_killed_make_ends_a_session_that_has_just_started(tmp_path: Path) -> None:
    with Command(_under_make(tmp_path), env=_QUICKLY | {"HELD_AT": "work"}) as command:
        command.process("pytest")
        command.send(signal.SIGKILL)
        command.leaves_nothing()


def test_killed_reaper_is_restarted() -> None:
    with Command(_HELD, env=_QUICKLY | {"HELD_AT": "work"}) as command:
        command.prints("held at work")
        first = command.process("launcher.supervision.reaper").pid
        os.kill(first, signal.SIGKILL)
        eventually(lambda: command.process("launcher.supervision.reaper").pid != first)
        command.send(signal.SIGKILL)
        command.leaves_nothing()


def test_command_that_exits_leaves_no_process() -> None:
    with Command(_HELD, env=_QUICKLY | {"HELD_AT": "never"}) as command:
        command.leaves_nothing()
        assert "1 passed" in command.output


def test_program_run_by_exec_ends_with_its_killed_make(tmp_path: Path) -> None:
    file = tmp_path / "exec.mk"
    file.write_text(f"include {ROOT}/Makefile\n\nheld:\n\t@$(ENDING_WITH_MAKE) sh -c 'echo held; sleep 60; :'\n")
    with Command(["make", "-f", file, "held"]) as command:
        command.prints("held")
        command.send(signal.SIGKILL)
        command.leaves_nothing()


@pytest.mark.parametrize("code", [0, 3])
def test_exec_ends_with_the_exit_code_of_its_program(code: int) -> None:
    command = [sys.executable, "-m", "launcher", "exec", "sh", "-c", f"exit {code}"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == code


def test_reaper_ends_no_processes_of_other_commands() -> None:
    held = _QUICKLY | {"HELD_AT": "work"}
    with Command(_HELD, env=held) as ended, Command(_HELD, env=held) as other:
        ended.prints("held at work")
        other.prints("held at work")
        before = _held_by(other)
        ended.send(signal.SIGKILL)
        ended.leaves_nothing()
        assert _held_by(other) == before


def _held_by(command: Command) -> set[int]:
    """Return the processes of a command without the short-lived `sleep 1`."""
    return {process.pid for process in command.processes() if process.arguments != ["sleep", "1"]}


@pytest.mark.parametrize(("before", "is_caught"), [(signal.SIG_DFL, True), (signal.SIG_IGN, False)])
def test_launcher_under_nohup_ignores_the_end_of_its_terminal(before: signal.Handlers, is_caught: bool) -> None:
    known = {number: signal.getsignal(number) for number in commands.STOP_SIGNALS}
    try:
        signal.signal(signal.SIGHUP, before)
        commands._catch_signals()
        assert (signal.getsignal(signal.SIGHUP) == commands._request_stop) == is_caught
        assert signal.getsignal(signal.SIGTERM) == commands._request_stop
    finally:
        for number, handler in known.items():
            signal.signal(number, handler)


def test_this_test_session_has_a_reaper() -> None:
    assert os.environ[reaper.REAPERS]
