"""The logs of all that the tests before did: no error that nobody can explain. Named to run last."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from launcher.paths import ROOT
from launcher.system.template import read_template
from tests.e2e.groups import System
from tests.e2e.launch import log_files

APP_TROUBLE = re.compile(r"\b(ERROR|CRITICAL)\b|^Traceback|Traceback \(most recent call last\)")
SIDECAR_TROUBLE = re.compile(r"level=(warning|error|fatal)|^panic:|^fatal error:")

SIDECAR_DEATH = re.compile(r"level=fatal|^panic:|^fatal error:")

SERVICES = {app.app_id for app in read_template(ROOT / "dapr.yaml").apps}

KNOWN_IN_APPS: dict[str, str] = {}

KNOWN_IN_SIDECARS = {
    r"mTLS is disabled": "everything runs on one machine, and no port is open to another",
    r"Graceful shutdown timeout is infinite": "the CLI's default; the launcher gives the sidecars their time",
    r"Redis does not support transaction rollbacks": "said of every Redis; our own data need no transactions",
    r"workflow already completed; dropping work item": "a signal arrived just after its workflow had ended",
    r"cannot add event to workflow as state has been purged": "a signal for a workflow that was not running",
    r"No workflow state found for actor '(charge|shipment)-": "the same, where the event is taken off its queue",
    r"DaprBuiltInActorNotFoundRetries": "a signal arrived while the workflow's actor was being created",
    r"Error processing operation endpoint\[billing, billing:": "a story stops billing's process: its calls time out",
    r"Error getting job none": "a worker for which nothing runs asks whether the scheduler answers",
    r"DROP status returned from app while processing pub/sub event": "a test publishes what is no order event",
    r"invocation failed .*the client connection is closing": "the console follows the feed while the system is stopped",
    r"Error receiving from stream: rpc error: code = Canceled": "the system is being stopped",
}


def unexplained(logs: Iterable[Path], trouble: re.Pattern[str], known: Mapping[str, str]) -> list[str]:
    """Return each kind of line that means trouble and has no explanation, once, with its log file's name."""
    found = {}
    for log in logs:
        for line in log.read_text(errors="replace").splitlines():
            if trouble.search(line) and not any(re.search(pattern, line) for pattern in known):
                found[_kind(line)] = f"{log.name}: {line[:500]}"
    return list(found.values())


def _kind(line: str) -> str:
    """Return what is the same in lines that say the same of different orders, at different times."""
    message = re.search(r'msg="(.*?)(?<!\\)"', line)
    return re.sub(r"\d+|[a-z0-9]{10,}", "#", message.group(1) if message else line)


def assert_explained(lines: list[str]) -> None:
    """Fail with one line for each kind of trouble."""
    assert not lines, "\n".join(["nobody can explain:", *lines])


def app_logs(folder: Path) -> list[Path]:
    """Return the log files of the services, all of which must be there."""
    return [log for log in log_files(folder) if log.stem in SERVICES]


def sidecar_logs(folder: Path) -> list[Path]:
    """Return the log files of the sidecars."""
    return [log for log in log_files(folder) if log.stem.endswith("-sidecar")]


def test_no_service_logged_an_error(system: System) -> None:
    logs = app_logs(system.stack.state_dir)
    assert len(logs) == len(system.stack.apps())
    assert_explained(unexplained(logs, APP_TROUBLE, KNOWN_IN_APPS))


def test_every_warning_of_a_sidecar_is_explained(system: System) -> None:
    logs = sidecar_logs(system.stack.state_dir)
    assert len(logs) == len(system.stack.apps())
    assert_explained(unexplained(logs, SIDECAR_TROUBLE, KNOWN_IN_SIDECARS))


def test_crashes_leave_no_error_in_the_services_and_kill_no_sidecar(crash_folder: Path) -> None:
    # What else the sidecars say of a power cut depends on the moment; that they live and lose nothing does not.
    if not app_logs(crash_folder):
        pytest.skip("no crash was tried")
    assert_explained(unexplained(app_logs(crash_folder), APP_TROUBLE, KNOWN_IN_APPS))
    assert_explained(unexplained(sidecar_logs(crash_folder), SIDECAR_DEATH, {}))


def test_trouble_is_found_and_told_once(tmp_path: Path) -> None:
    log = tmp_path / "a_daprd_1.log"
    log.write_text('level=info msg="x"\nlevel=error msg="order 1 lost"\nlevel=error msg="order 2 lost"\n')
    assert unexplained([log], SIDECAR_TROUBLE, {}) == ['a_daprd_1.log: level=error msg="order 2 lost"']
    assert unexplained([log], SIDECAR_TROUBLE, {"order . lost": "so it is"}) == []
    log.write_text("12:00 INFO fine\n12:01 ERROR   broken\nTraceback (most recent call last)\n")
    assert len(unexplained([log], APP_TROUBLE, {})) == 2
