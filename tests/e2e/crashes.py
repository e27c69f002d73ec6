"""Ways for processes to end without a word. Only what the stack itself started is touched."""

import signal

from runtime.processes import marked, send, wait_gone
from runtime.stack import Stack

_GONE_WITHIN = 10.0


def kill(stack: Stack, *names: str) -> None:
    """Kill processes, all at once; the stack starts them again."""
    _kill([pid for pid in map(stack.pid, names) if pid is not None])


def power_cut(stack: Stack) -> None:
    """Kill everything that the stack started, databases and control plane too, all at once; it stays down."""
    stack.stop_supervising()
    _kill([process.pid for process in marked(stack.state_dir)])
    stack.stop()


def _kill(pids: list[int]) -> None:
    assert pids
    send(pids, signal.SIGKILL)
    assert not wait_gone(pids, _GONE_WITHIN)
