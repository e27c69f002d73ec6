"""Crashes of processes. Only processes of the stack itself are killed."""

import signal
import subprocess

from launcher.supervision.processes import marked, send, wait_ended
from launcher.system.stack import Stack
from tests.e2e.readme import commands_of

_GONE_WITHIN = 10.0
_ONLY_OURS = """pgrep() { command pgrep -f "${!#}" | grep --line-regexp --fixed-strings "$OMS_PID"; }"""
"""Limits the command of README.md to the process of the tested system. Others may run on this machine."""


def kill(stack: Stack, *names: str) -> None:
    """Kill processes at the same time. The stack restarts them."""
    _kill([pid for pid in map(stack.pid, names) if pid is not None])


def kill_worker_as_readme_says(stack: Stack) -> None:
    """Kill a worker with the command of README.md. The stack restarts it."""
    pid = stack.pid(stack.workers[0])
    assert pid is not None
    [command] = commands_of("A process dies")
    subprocess.run(["bash", "-c", f"OMS_PID={pid}\n{_ONLY_OURS}\n{command}"], check=True)
    assert not wait_ended([pid], _GONE_WITHIN)


def power_cut(stack: Stack) -> None:
    """Kill all processes of the stack at the same time, including databases and the control plane. They stay down."""
    stack.stop_supervising()
    _kill([process.pid for process in marked(stack.state_dir)])
    stack.stop()


def _kill(pids: list[int]) -> None:
    assert pids
    send(pids, signal.SIGKILL)
    assert not wait_ended(pids, _GONE_WITHIN)
