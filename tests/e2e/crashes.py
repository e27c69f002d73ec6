"""Ways for processes to end without a word. Only what the stack itself started is touched."""

import signal
import subprocess

from launcher.supervision.processes import marked, send, wait_gone
from launcher.system.stack import Stack
from tests.e2e.readme import commands_of

_GONE_WITHIN = 10.0
_ONLY_OURS = """pgrep() { command pgrep -f "${!#}" | grep --line-regexp --fixed-strings "$OMS_PID"; }"""
"""Lets the command of README.md find the process of the tested system only: others may run on this machine."""


def kill(stack: Stack, *names: str) -> None:
    """Kill processes, all at once; the stack starts them again."""
    _kill([pid for pid in map(stack.pid, names) if pid is not None])


def kill_orderprocessing_as_readme_says(stack: Stack) -> None:
    """Kill the workflow host with the command of README.md; the stack starts it again."""
    pid = stack.pid("orderprocessing")
    assert pid is not None
    [command] = commands_of("A process dies")
    subprocess.run(["bash", "-c", f"OMS_PID={pid}\n{_ONLY_OURS}\n{command}"], check=True)
    assert not wait_gone([pid], _GONE_WITHIN)


def power_cut(stack: Stack) -> None:
    """Kill everything that the stack started, databases and control plane too, all at once; it stays down."""
    stack.stop_supervising()
    _kill([process.pid for process in marked(stack.state_dir)])
    stack.stop()


def _kill(pids: list[int]) -> None:
    assert pids
    send(pids, signal.SIGKILL)
    assert not wait_gone(pids, _GONE_WITHIN)
