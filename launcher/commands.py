"""Commands of `python3 -m launcher`. An expected failure prints a message on standard error and exits with code 1."""

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from launcher.console import elapsed, print_line
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
from launcher.system.app_with_workers import AppWithWorkers
from launcher.system.stack import Stack
from launcher.system.state_folder import StateFolder

POLL_S = 0.5
MAX_REPLICAS = 3
"""As many as one machine can use. With many more, the liveness probe of a replica would time out."""
CONSOLE = "web"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(BaseException):
    """The user pressed Ctrl-C or sent a signal. Not an error."""


def set_up() -> Dapr:
    """Install everything that the system needs."""
    ensure_venv()
    running = control_plane.already_running(ControlPorts())
    # Before Dapr, whose build takes minutes, so that a failure to install Redis shows at once.
    if "redis" not in running:
        ensure_redis()
    return ensure_dapr(control_plane=not {"placement", "scheduler"} <= running)


def setup(_options: argparse.Namespace) -> None:
    """Create the virtual environment, and find or build the other dependencies."""
    dapr = set_up()
    print_line(f"Setup complete: .venv, Dapr runtime {dapr.binary('daprd')}.")


def venv(_options: argparse.Namespace) -> None:
    """Create the virtual environment. The linters and the unit tests need nothing else."""
    ensure_venv()


def actionlint(_options: argparse.Namespace) -> None:
    """Check the workflows of GitHub Actions."""
    check_workflows()


def deps(_options: argparse.Namespace) -> None:
    """Run only Redis, placement and scheduler, for `dapr run -f .` in another terminal."""
    dapr = set_up()
    stack = Stack()
    try:
        stack.start_services()
        print_line("Redis, placement and scheduler are running. In another terminal, run:")
        print_line(f"  {run_command(dapr)}")
        print_line("Press Ctrl-C to stop them. Their data stays in .state/.")
        _serve_restart_requests(stack)
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
        print_line("Starting Redis, placement, scheduler and the apps ...")
        stack.start()
        print_line(f"\nReady after {elapsed(time.monotonic() - began)}:")
        for app in stack.apps():
            print_line(f"  {app.name:<18} {app.address}")
        print_line(f"  {'workers':<18} {', '.join(stack.workers)}")
        print_line(f"Open the console in a browser: {stack.address(CONSOLE)}")
        print_line(f"Processes that exit are restarted. Logs are in {_short(stack.logs)}.")
        print_line(f"Press Ctrl-C to stop the system. Orders stay in {_short(stack.state_dir)}.\n")
        _serve_restart_requests(stack)
    finally:
        _stop(stack)


def _short(folder: Path) -> str:
    return f"{folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder}/"


def app(options: argparse.Namespace) -> None:
    """Run an app and its workers under a sidecar that another program has started, such as `dapr run`."""
    processes = AppWithWorkers(options.module, options.worker_module)
    try:
        processes.wait()
    finally:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        processes.stop()


def restart(options: argparse.Namespace) -> None:
    """Restart the apps of a running system one by one, without failed requests."""
    rolling_restart.request_restart(DEFAULT_STATE, options.app)
    print_line("Restarted.")


def zipkin(_options: argparse.Namespace) -> None:
    """Run the trace server."""
    run_zipkin()


def browser(_options: argparse.Namespace) -> None:
    """Find or install the browser for the browser tests."""
    print_line(f"Browser: {ensure_chromium()}.")


def _serve_restart_requests(stack: Stack) -> None:
    """Serve restart requests until a process fails for good. Raises LaunchError with the reason."""
    rolling_restart.discard_stale_requests(stack.state_dir)
    while (failure := stack.failure()) is None:
        request = rolling_restart.next_request(stack.state_dir)
        if request is not None:
            rolling_restart.reply(request, _restart_apps(stack, rolling_restart.requested_app(request)))
        time.sleep(POLL_S)
    raise LaunchError(failure)


def _restart_apps(stack: Stack, requested: str) -> str:
    """Restart one app, or all. Return the error message, empty on success. The other apps keep running."""
    app_ids = {app.app_id for app in stack.apps()}
    if not app_ids or requested not in {rolling_restart.ALL, *app_ids}:
        return f"Unknown app {requested!r}. Running apps: {', '.join(sorted(app_ids)) or 'none'}."
    try:
        stack.restart(app_ids if requested == rolling_restart.ALL else {requested})
    except LaunchError as error:
        print_line(
            f"{error}\nThe restart stopped here. The other apps keep running. Fix the problem, then restart again."
        )
        return str(error)
    return ""


def audit(_options: argparse.Namespace) -> None:
    """Check the pinned packages and Dapr against the public vulnerability databases."""
    set_up()
    audit_all()


def clean_state(_options: argparse.Namespace) -> None:
    """Remove all orders and workflows."""
    StateFolder(DEFAULT_STATE).remove()
    # The name registry of the sidecars. It is created again at the next start.
    for registry in (ROOT / ".dapr").glob("names.db*"):
        registry.unlink()
    print_line("Removed all orders and workflows.")
    if "redis" in control_plane.already_running(ControlPorts()):
        print_line("The Redis on port 6379 still holds its data. docs/operations.md explains how to remove it.")


def execute(options: argparse.Namespace) -> None:
    """Run a program that ends when this command ends, even if it is killed."""
    child = subprocess.Popen(options.program)
    try:
        code = child.wait()
    except BaseException:
        child.terminate()
        child.wait()
        raise
    sys.exit(code if code >= 0 else 128 - code)


def _stop(stack: Stack) -> None:
    """Stop the system. Ignores further signals."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if stack.started:
        print_line("\nStopping ...")
        stack.stop()


def _request_stop(_number: int, _frame: FrameType | None) -> None:
    """Turn a signal into an exception, so that `finally` blocks run; an alarm limits their time."""
    signal.alarm(int(reaper.STOP_TIMEOUT_S))
    raise StopRequested


def _catch_signals() -> None:
    for number in STOP_SIGNALS:
        # Under `nohup` the system survives a closed terminal.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _request_stop)


def _parser() -> argparse.ArgumentParser:
    """Return the argument parser, with the function of each command."""
    parser = argparse.ArgumentParser(prog="python3 -m launcher", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    functions: dict[str, Callable[[argparse.Namespace], None]] = {
        "setup": setup,
        "venv": venv,
        "actionlint": actionlint,
        "deps": deps,
        "run": run,
        "app": app,
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
    running.add_argument("--replicas", type=int, default=1, choices=range(1, MAX_REPLICAS + 1), metavar="N")
    running.add_argument("--port-offset", type=int, default=0, help="shift every port, to run a second system")
    running.add_argument("--state-dir", type=Path, default=DEFAULT_STATE, help="the data folder")
    running.add_argument("--chaos", action="store_true", help="enable fault injection through PUT /chaos")
    commands.choices["app"].add_argument("module", help="the Python module of the app")
    commands.choices["app"].add_argument("worker_module", help="the Python module of its workers")
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
        print_line("Stopped. No process is left running.")
        return 0
    except LaunchError as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0
