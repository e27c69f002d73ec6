"""Ways for processes to end without a word, and to come back. Only what the stack itself started is touched."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.processes import Process, marked, running, send, wait_gone
from runtime.stack import Stack

_GONE_WITHIN = 10.0


def kill_app(stack: Stack, app_id: str) -> Process:
    """Kill an app, not its sidecar, and return what it was."""
    pid = stack.pid_of(app_id).app
    [process] = [one for one in running() if one.pid == pid]
    _kill([process.pid])
    return process


@contextmanager
def restarted(stack: Stack, process: Process) -> Iterator[None]:
    """Start an app that was killed again, as a supervisor would (`dapr run -f` does not), while the block runs."""
    with (stack.logs / "restarted_app.log").open("ab") as log:
        again = subprocess.Popen(
            process.arguments, env=process.environment, cwd=stack.state_dir, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield
        finally:
            again.kill()
            again.wait()


def power_cut(stack: Stack) -> None:
    """Kill everything that the stack started, databases and control plane too, all at once."""
    _kill([process.pid for process in marked(stack.state_dir)])
    stack.stop()


def _kill(pids: list[int]) -> None:
    assert pids
    send(pids, signal.SIGKILL)
    assert not wait_gone(pids, _GONE_WITHIN)
