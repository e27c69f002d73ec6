"""The commands of `python3 -m launcher`; an expected failure is a sentence on standard error and exit code 1."""

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from launcher.console import elapsed, say
from launcher.errors import LaunchError
from launcher.paths import DEFAULT_STATE, ROOT
from launcher.ports import ControlPorts
from launcher.setup.actionlint import check_workflows
from launcher.setup.audit import audit as audit_all
from launcher.setup.browser import ensure_chromium
from launcher.setup.dapr import Dapr, ensure_dapr, run_command
from launcher.setup.redis import ensure_redis
from launcher.setup.venv import ensure_venv
from launcher.setup.zipkin import run_zipkin
from launcher.supervision import reaper
from launcher.system import control_plane, rolling_restart
from launcher.system.stack import Stack
from launcher.system.state_folder import StateFolder

WATCH_S = 0.5
MOST_REPLICAS = 3
"""What one machine can use; with many more, a replica would not find a pulse of its own in time."""
CONSOLE = "web"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(BaseException):
    """Somebody pressed Ctrl-C or sent a signal; not an error."""


def set_up() -> Dapr:
    """Get everything that the system needs onto the machine."""
    ensure_venv()
    running = control_plane.already_running(ControlPorts())
    # Before Dapr, whose build takes minutes: where Redis cannot be installed the user learns it at once.
    if "redis" not in running:
        ensure_redis()
    return ensure_dapr(control_plane=not {"placement", "scheduler"} <= running)


def setup(_options: argparse.Namespace) -> None:
    """Make the virtual environment and find or build what else is needed."""
    dapr = set_up()
    say(f"Set up: .venv, Dapr runtime {dapr.binary('daprd')}.")


def venv(_options: argparse.Namespace) -> None:
    """Make the virtual environment, which is all that the linters and unit tests need."""
    ensure_venv()


def actionlint(_options: argparse.Namespace) -> None:
    """Check the workflows of GitHub Actions."""
    check_workflows()


def deps(_options: argparse.Namespace) -> None:
    """Run Redis, placement and scheduler only, for a `dapr run -f .` in another terminal."""
    dapr = set_up()
    stack = Stack()
    try:
        stack.start_services()
        say("Redis, placement and scheduler run. In another terminal:")
        say(f"  {run_command(dapr)}")
        say("Ctrl-C stops them; their data stay in .state/.")
        _watch(stack)
    finally:
        _stop(stack)


def run(options: argparse.Namespace) -> None:
    """Run the whole system until Ctrl-C."""
    began = time.monotonic()
    set_up()
    env = {"CHAOS_ENABLED": "true"} if options.chaos else {}
    stack = Stack(
        state_dir=options.state_dir,
        port_offset=options.port_offset,
        console=True,
        env=env,
        replicas={"orderprocessing": options.replicas},
    )
    try:
        say("Starting Redis, placement, scheduler and the apps ...")
        stack.start()
        say(f"\nReady after {elapsed(time.monotonic() - began)}:")
        for app in stack.apps():
            say(f"  {app.name:<18} {app.address}")
        say(f"Open {stack.address(CONSOLE)} in a browser: the console.")
        say(f"What ends by itself is started again; logs are in {_short(stack.logs)}.")
        say(f"Ctrl-C stops everything; the orders stay in {_short(stack.state_dir)}.\n")
        _watch(stack)
    finally:
        _stop(stack)


def _short(folder: Path) -> str:
    return f"{folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder}/"


def restart(options: argparse.Namespace) -> None:
    """Restart the apps of a running system, one after the other, without losing a request."""
    rolling_restart.request_restart(DEFAULT_STATE, options.app)
    say("Restarted.")


def zipkin(_options: argparse.Namespace) -> None:
    """Run the trace server."""
    run_zipkin()


def browser(_options: argparse.Namespace) -> None:
    """Find or install the browser that the browser tests drive."""
    say(f"Browser: {ensure_chromium()}.")


def _watch(stack: Stack) -> None:
    """Restart what somebody asks for, until something is given up: then fail with the sentence about it."""
    rolling_restart.forget_requests(stack.state_dir)
    while (sentence := stack.dead()) is None:
        request = rolling_restart.next_request(stack.state_dir)
        if request is not None:
            rolling_restart.answer(request, _roll(stack, rolling_restart.asked_for(request)))
        time.sleep(WATCH_S)
    raise LaunchError(sentence)


def _roll(stack: Stack, wanted: str) -> str:
    """Restart an app or all; return what went wrong, empty if nothing did. The rest of the system runs on."""
    known = {app.app_id for app in stack.apps()}
    if not known or wanted not in {rolling_restart.ALL, *known}:
        return f"There is no app {wanted!r} here; there are: {', '.join(sorted(known)) or 'none'}."
    try:
        stack.roll(known if wanted == rolling_restart.ALL else {wanted})
    except LaunchError as error:
        say(f"{error}\nThe restart ends here, the rest of the system runs on. Mend it, then restart again.")
        return str(error)
    return ""


def audit(_options: argparse.Namespace) -> None:
    """Look the pinned packages and Dapr up in the public databases of vulnerabilities."""
    set_up()
    audit_all()


def clean_state(_options: argparse.Namespace) -> None:
    """Remove all orders and workflows."""
    StateFolder(DEFAULT_STATE).remove()
    # Where the sidecars found each other last; it is made anew.
    for names in (ROOT / ".dapr").glob("names.db*"):
        names.unlink()
    say("All orders and workflows are removed.")
    if "redis" in control_plane.already_running(ControlPorts()):
        say("Not those in the Redis that answers on port 6379; docs/operations.md says how to remove them.")


def execute(options: argparse.Namespace) -> None:
    """Run a program that ends with this command, however that ends."""
    child = subprocess.Popen(options.program)
    try:
        code = child.wait()
    except BaseException:
        child.terminate()
        child.wait()
        raise
    sys.exit(code if code >= 0 else 128 - code)


def _stop(stack: Stack) -> None:
    """Stop everything; from here on a second signal changes nothing."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if stack.started:
        say("\nStopping ...")
        stack.stop()


def _request_stop(_number: int, _frame: FrameType | None) -> None:
    """Turn a signal into an exception, so that what was started is stopped on the way out, but not for ever."""
    signal.alarm(int(reaper.STOP_WITHIN_S))
    raise StopRequested


def _catch_signals() -> None:
    for number in STOP_SIGNALS:
        # `nohup` has the system run on when its terminal is closed.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _request_stop)


def _parser() -> argparse.ArgumentParser:
    """Return the command line: each command with the function that carries it out."""
    parser = argparse.ArgumentParser(prog="python3 -m launcher", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    functions: dict[str, Callable[[argparse.Namespace], None]] = {
        "setup": setup,
        "venv": venv,
        "actionlint": actionlint,
        "deps": deps,
        "run": run,
        "restart": restart,
        "zipkin": zipkin,
        "browser": browser,
        "audit": audit,
        "clean-state": clean_state,
        "exec": execute,
    }
    for name, function in functions.items():
        commands.add_parser(name, help=(function.__doc__ or "").partition("\n")[0]).set_defaults(function=function)
    running = commands.choices["run"]
    running.add_argument("--replicas", type=int, default=1, choices=range(1, MOST_REPLICAS + 1), metavar="N")
    running.add_argument("--port-offset", type=int, default=0, help="move every port, for a second system")
    running.add_argument("--state-dir", type=Path, default=DEFAULT_STATE, help="where that one keeps its data")
    running.add_argument("--chaos", action="store_true", help="let PUT /chaos make the services fail at random")
    commands.choices["exec"].add_argument("program", nargs=argparse.REMAINDER)
    commands.choices["restart"].add_argument("--app", default=rolling_restart.ALL, help="an app id")
    return parser


def main() -> int:
    """Run one command and return the exit code."""
    options = _parser().parse_args()
    _catch_signals()
    try:
        reaper.ensure()
        options.function(options)
    except StopRequested:
        say("Stopped; nothing is left running.")
        return 0
    except LaunchError as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0
