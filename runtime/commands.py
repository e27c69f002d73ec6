"""The commands of `python3 -m runtime`; an expected failure is a sentence on standard error and exit code 1."""

import argparse
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

from runtime import prerequisites
from runtime.console import elapsed, say
from runtime.dapr import Dapr, ensure_dapr
from runtime.errors import LaunchError
from runtime.paths import DEFAULT_STATE, ROOT
from runtime.ports import ControlPorts
from runtime.redis import ensure_redis
from runtime.stack import Stack, watch
from runtime.state import StateFolder
from runtime.venv import ensure_venv
from runtime.zipkin import run_zipkin

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(BaseException):
    """Somebody pressed Ctrl-C or sent a signal; not an error."""


def set_up() -> Dapr:
    """Get everything that the system needs onto the machine."""
    ensure_venv()
    running = prerequisites.already_running(ControlPorts())
    dapr = ensure_dapr(control_plane=not {"placement", "scheduler"} <= running)
    if "redis" not in running:
        ensure_redis()
    return dapr


def setup() -> None:
    """Make the virtual environment and find or build what else is needed."""
    dapr = set_up()
    say(f"Set up: .venv, Dapr CLI {dapr.cli}, Dapr runtime {dapr.binary('daprd')}.")


def deps() -> None:
    """Run Redis, placement and scheduler only, for a `dapr run -f .` in another terminal."""
    dapr = set_up()
    stack = Stack()
    try:
        stack.start_services()
        command = " ".join(f"{name}={value}" for name, value in dapr.environment().items() if name != "PATH")
        say("Redis, placement and scheduler run. In another terminal:")
        say(f"  {command} {dapr.cli} run -f .")
        say("Ctrl-C stops them; their data stay in .state/.")
        watch(stack)
    finally:
        _stop(stack)


def run() -> None:
    """Run the whole system until Ctrl-C."""
    began = time.monotonic()
    set_up()
    stack = Stack(console=True)
    try:
        say("Starting Redis, placement, scheduler and the apps ...")
        stack.start()
        say(f"\nReady after {elapsed(time.monotonic() - began)}:")
        for app in stack.apps():
            say(f"  {app.app_id:<16} {app.address}")
        say("Logs of the sidecars are in .dapr/logs/. Ctrl-C stops everything; the orders stay in .state/.\n")
        watch(stack)
    finally:
        _stop(stack)


def clean_state() -> None:
    """Remove all orders and workflows."""
    StateFolder(DEFAULT_STATE).remove()
    # Where the sidecars found each other last; it is made anew.
    for names in (ROOT / ".dapr").glob("names.db*"):
        names.unlink()
    say("All orders and workflows are removed.")


def _stop(stack: Stack) -> None:
    """Stop everything; from here on a second signal changes nothing."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if stack.started:
        say("\nStopping ...")
        stack.stop()


def _request_stop(_number: int, _frame: FrameType | None) -> None:
    """Turn a signal into an exception, so that what was started is stopped on the way out."""
    raise StopRequested


COMMANDS: dict[str, Callable[[], None]] = {
    "setup": setup,
    "deps": deps,
    "run": run,
    "zipkin": run_zipkin,
    "clean-state": clean_state,
}


def main() -> int:
    """Run one command and return the exit code."""
    parser = argparse.ArgumentParser(prog="python3 -m runtime", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in COMMANDS.items():
        commands.add_parser(name, help=(function.__doc__ or "").splitlines()[0])
    chosen = COMMANDS[parser.parse_args().command]
    for number in STOP_SIGNALS:
        signal.signal(number, _request_stop)
    try:
        chosen()
    except StopRequested:
        say("Stopped; nothing is left running.")
        return 0
    except LaunchError as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0
