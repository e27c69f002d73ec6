"""Starts a system for tests, with its own ports and folder, and with its traces sent to the test."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from launcher.paths import ROOT
from launcher.system.stack import Stack
from tests.e2e.client import Shop
from tests.e2e.groups import System

SHORT = {
    "ORDER_ACTION_TIMEOUT": "8",
    "APPROVAL_TIMEOUT": "8",
    "CHARGE_TIMEOUT": "5",
    "BOOKING_TIMEOUT": "5",
    "RECONCILE_INTERVAL": "3",
}
"""Short deadlines in seconds, so that a test can wait for them."""

PATIENT = {"ORDER_ACTION_TIMEOUT": "600", "APPROVAL_TIMEOUT": "600", "RECONCILE_INTERVAL": "3"}
"""Deadlines that do not expire during a test."""

_LINES_SHOWN = 25
_ZIPKIN = "http://localhost:9411/"
_REDELIVERED_AFTER, _SOON = "value: 30s", "value: 8s"
"""Redelivery timeout of the broker after a crash of a subscriber. The crash matrix keeps the default of 30 s."""


def make_stack(folder: Path, port_offset: int, env: Mapping[str, str], spans_to: str) -> Stack:
    """Return the system without starting it. It sends its traces to the address `spans_to`."""
    source = folder / "source"
    if not source.exists():
        source.mkdir(parents=True)
        shutil.copy(ROOT / "dapr.yaml", source)
        shutil.copytree(ROOT / "components", source / "components")
        _replace(source / "components" / "config.yaml", _ZIPKIN, spans_to)
        _replace(source / "components" / "orders.yaml", _REDELIVERED_AFTER, _SOON)
    # `make test` runs several systems side by side, so the priorities of one would count against the others.
    env = {"NICENESS": "0", **env}
    return Stack(state_dir=folder, port_offset=port_offset, env=env, run_template=source / "dapr.yaml")


def _replace(file: Path, old: str, new: str) -> None:
    before = file.read_text()
    assert old in before, f"{file.name} has no {old}"
    file.write_text(before.replace(old, new))


def system_of(stack: Stack) -> System:
    """Return the running system for tests."""
    return System(Shop(stack.address, stack.sidecar_address, stack.tokens), stack)


@contextmanager
def running(stack: Stack) -> Iterator[System]:
    """Run the system. If it does not start, the error contains the end of every log."""
    try:
        stack.start()
    except Exception as error:
        raise AssertionError(f"the system did not start: {error}\n{log_ends(stack.state_dir)}") from error
    try:
        yield system_of(stack)
    finally:
        stack.stop()


def worker_logs(stack: Stack) -> str:
    """Return the contents of the logs of all workers."""
    logs = map(stack.log_of, stack.workers)
    return "".join(log.read_text(errors="replace") for log in logs if log.exists())


def log_files(folder: Path) -> list[Path]:
    """Return the log files of a system, one per process."""
    return sorted((folder / "logs").glob("*.log"))


def log_ends(folder: Path) -> str:
    """Return the last lines of every log."""
    ends = []
    for log in log_files(folder):
        lines = log.read_text(errors="replace").splitlines()[-_LINES_SHOWN:]
        ends.append("\n".join([f"--- the end of {log}", *lines]))
    return "\n".join(ends)
