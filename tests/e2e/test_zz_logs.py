"""The logs of all previous tests contain no unexplained errors. Named to run last."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from launcher.paths import ROOT
from launcher.system.template import read_template
from tests.e2e.groups import System
from tests.e2e.launch import log_files

APP_ERRORS = re.compile(r"\b(ERROR|CRITICAL)\b|^Traceback|Traceback \(most recent call last\)")
SIDECAR_ERRORS = re.compile(r"level=(warning|error|fatal)|^panic:|^fatal error:")

SIDECAR_DEATHS = re.compile(r"level=fatal|^panic:|^fatal error:")

SERVICES = {app.app_id for app in read_template(ROOT / "dapr.yaml").apps}

KNOWN_IN_APPS: dict[str, str] = {}

KNOWN_IN_SIDECARS = {
    r"mTLS is disabled": "all processes run on one machine, without open ports",
    r"Graceful shutdown timeout is infinite": "the default of the CLI; the launcher sets a grace period",
    r"Redis does not support transaction rollbacks": "logged for every Redis; our data needs no transactions",
    r"workflow already completed; dropping work item": "a wake-up signal for a workflow that had just ended",
    r"cannot add event to workflow as state has been purged": "a wake-up signal for a workflow that is not running",
    r"No workflow state found for actor '(charge|shipment)-": "the same, when the event is taken from its queue",
    r"DaprBuiltInActorNotFoundRetries": "a wake-up signal while the workflow's actor was being created",
    r"Error processing operation endpoint\[(billing, billing|inventory, inventory):": "tests stop these services",
    r"error executing workflow: operation aborted|aborting workflow execution": "a test kills workers",
    r"in-flight lock claims to be released for rebalanced types": "the same: workflows had no worker for a moment",
    r"(recoverable error and will be retried later|failed to invoke .*): '?execution aborted": "the same",
    r"Error getting job none": "an idle worker checks whether the scheduler answers",
    r"DROP status returned from app while processing pub/sub event": "a test publishes an invalid message",
    r"invocation failed .*the client connection is closing": "the console follows the feed while the system is stopped",
    r"Secrets configuration added for '.*', but no matching secret store": "few systems have the stores of the scopes",
    r"Error receiving from stream: rpc error: code = Canceled": "the system is being stopped",
}


def unexplained(logs: Iterable[Path], errors: re.Pattern[str], known: Mapping[str, str]) -> list[str]:
    """Return each kind of unexplained error line once, with the name of its log file."""
    found = {}
    for log in logs:
        for line in log.read_text(errors="replace").splitlines():
            if errors.search(line) and not any(re.search(pattern, line) for pattern in known):
                found[_kind(line)] = f"{log.name}: {line[:500]}"
    return list(found.values())


def _kind(line: str) -> str:
    """Return a line without its times and ids, so that equal messages about different orders match."""
    message = re.search(r'msg="(.*?)(?<!\\)"', line)
    return re.sub(r"\d+|[a-z0-9]{10,}", "#", message.group(1) if message else line)


def assert_explained(lines: list[str]) -> None:
    """Fail with one line per kind of error."""
    assert not lines, "\n".join(["unexplained log lines:", *lines])


def app_logs(folder: Path) -> list[Path]:
    """Return the log files of the services and the workers, all of which must exist."""
    return [log for log in log_files(folder) if log.stem in SERVICES or log.stem.startswith("worker-")]


def sidecar_logs(folder: Path) -> list[Path]:
    """Return the log files of the sidecars."""
    return [log for log in log_files(folder) if log.stem.endswith("-sidecar")]


def test_services_log_no_error(system: System) -> None:
    logs = app_logs(system.stack.state_dir)
    assert {log.stem for log in logs} >= SERVICES | set(system.stack.workers)
    assert_explained(unexplained(logs, APP_ERRORS, KNOWN_IN_APPS))


def test_every_warning_of_a_sidecar_is_explained(system: System) -> None:
    logs = sidecar_logs(system.stack.state_dir)
    assert len(logs) == len(system.stack.apps())
    assert_explained(unexplained(logs, SIDECAR_ERRORS, KNOWN_IN_SIDECARS))


def test_crashes_cause_no_error_in_services_and_kill_no_sidecar(crash_folder: Path) -> None:
    # Other messages of sidecars during a power cut depend on timing, but no sidecar may die.
    if not app_logs(crash_folder):
        pytest.skip("no test caused a crash")
    assert_explained(unexplained(app_logs(crash_folder), APP_ERRORS, KNOWN_IN_APPS))
    assert_explained(unexplained(sidecar_logs(crash_folder), SIDECAR_DEATHS, {}))


def test_error_lines_are_found_and_reported_once(tmp_path: Path) -> None:
    log = tmp_path / "a_daprd_1.log"
    log.write_text('level=info msg="x"\nlevel=error msg="order 1 lost"\nlevel=error msg="order 2 lost"\n')
    assert unexplained([log], SIDECAR_ERRORS, {}) == ['a_daprd_1.log: level=error msg="order 2 lost"']
    assert unexplained([log], SIDECAR_ERRORS, {"order . lost": "so it is"}) == []
    log.write_text("12:00 INFO fine\n12:01 ERROR   broken\nTraceback (most recent call last)\n")
    assert len(unexplained([log], APP_ERRORS, {})) == 2
