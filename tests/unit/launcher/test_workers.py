"""Workers are started, listed and stopped on request while the system runs. The processes are real."""

import fcntl
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.errors import LaunchError
from launcher.paths import ROOT
from launcher.supervision import supervisor
from launcher.supervision.probe import Probe
from launcher.supervision.processes import alive
from launcher.supervision.supervisor import ProcessSpec, stop_supervised
from launcher.system import workers as workers_module
from launcher.system.worker_control import WorkerControl
from launcher.system.workers import WorkerPool, wanted_workers, worker_spec
from services.oms.cli import main
from services.oms.worker_requests import RequestFolder
from tests.e2e.polling import eventually

RESPONDER = """
import os, signal, threading
from services.orderprocessing.engine.worker.probe_responder import respond_to_probes
state = {"Worker-State": "running", "Worker-Version": "v7"}
respond_to_probes(int(os.environ["PROBE_FD"]), lambda: state)
threading.Event().wait()
"""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "INITIAL_BACKOFF_S", 0.02)
    monkeypatch.setattr(supervisor, "POLL_S", 0.02)
    monkeypatch.setattr(workers_module, "_most", lambda: 4)


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[WorkerPool]:
    def spec(name: str, _app: str, probe: Probe) -> ProcessSpec:
        return worker_spec(name, [sys.executable, "-c", RESPONDER], probe, {}, ROOT, 2)

    pool = WorkerPool(spec, ["shop", "shop-2"], tmp_path)
    yield pool
    stop_supervised(list(pool.processes.values()), 5)


@pytest.fixture
def control(pool: WorkerPool, tmp_path: Path) -> Iterator[WorkerControl]:
    control = WorkerControl(pool, tmp_path)
    yield control
    control.close()


def oms(folder: Path, *arguments: str) -> int:
    return main(["worker", *arguments, "--state-dir", str(folder)])


def test_new_workers_go_to_the_app_with_the_fewest_and_take_the_lowest_free_name(pool: WorkerPool) -> None:
    assert pool.start(3) == ["worker-1", "worker-2", "worker-3"]
    assert [process.name for process in pool.of("shop")] == ["worker-1", "worker-3"]
    pool.stop("worker-1")
    assert pool.start(1) == ["worker-1"]
    assert [status["name"] for status in pool.statuses()] == ["worker-1", "worker-2", "worker-3"]


@pytest.mark.usefixtures("control")
def test_workers_are_started_listed_and_stopped_by_commands(
    pool: WorkerPool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert oms(tmp_path, "start", "-n", "2") == 0
    eventually(lambda: all(process.is_ready for process in pool.processes.values()))
    first = pool.processes["worker-1"].pid
    assert first
    capsys.readouterr()
    assert oms(tmp_path, "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["NAME", "VERSION", "PROCESS", "SINCE", "STATE"]
    assert [line.split()[0] for line in lines[1:]] == ["worker-1", "worker-2"]
    assert lines[1].split()[1:3] == ["v7", str(first)]
    assert lines[1].split()[-1] == "running"
    assert oms(tmp_path, "stop", "worker-1") == 0
    assert not alive(first)
    capsys.readouterr()
    assert oms(tmp_path, "list", "--json") == 0
    assert [worker["name"] for worker in json.loads(capsys.readouterr().out)] == ["worker-2"]


@pytest.mark.usefixtures("control")
def test_requests_that_cannot_be_met_say_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert oms(tmp_path, "stop", "worker-9") == 1
    assert "There is no worker 'worker-9'. Workers: none." in capsys.readouterr().err
    assert oms(tmp_path, "start", "-n", "5") == 1
    assert "this machine has processors for at most 4: 2 workers for each processor" in capsys.readouterr().err
    assert oms(tmp_path, "start", "-n", "0") == 1
    assert "must be at least 1" in capsys.readouterr().err


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize(
    "content", ["{", "[]", '{"command": "start", "count": Infinity}', '{"command": "stop", "name": []}']
)
def test_an_invalid_request_is_refused_and_the_next_one_is_served(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    request = tmp_path / "worker-request-0a"
    draft = tmp_path / "draft"
    draft.write_text(content)
    draft.replace(request)
    eventually((tmp_path / "worker-answer-0a").exists)
    assert json.loads((tmp_path / "worker-answer-0a").read_text())["error"]
    assert not request.exists()
    assert oms(tmp_path, "list") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("control")
def test_workers_beyond_the_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 8000000 kB\nMemAvailable: 204800 kB\n")
    monkeypatch.setattr(workers_module, "_MEMINFO", meminfo)
    assert oms(tmp_path, "start", "-n", "2") == 1
    assert "2 more workers need about 300 MB of memory, and 200 MB are available" in capsys.readouterr().err


def test_killed_worker_is_restarted_and_keeps_its_name(pool: WorkerPool) -> None:
    pool.start(1)
    process = pool.processes["worker-1"]
    eventually(lambda: process.is_ready)
    before = process.pid
    assert before
    os.kill(before, signal.SIGKILL)
    eventually(lambda: process.is_ready and process.pid not in (None, before))


def test_commands_fail_without_a_running_system(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert oms(tmp_path, "list") == 1
    assert f"no system is running on {tmp_path}" in capsys.readouterr().err


def test_a_client_that_looks_for_the_supervisor_does_not_keep_it_from_starting(tmp_path: Path) -> None:
    with (tmp_path / "workers.lock").open("a") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.05, lambda: fcntl.flock(looking, fcntl.LOCK_UN)).start()
        folder = RequestFolder(tmp_path)
        assert folder.open()
    folder.close()


def test_second_supervisor_leaves_the_requests_to_the_first(
    control: WorkerControl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = WorkerControl(WorkerPool(lambda *_: pytest.fail("asked"), ["shop"], tmp_path), tmp_path)
    assert "Another program serves `oms worker`" in capsys.readouterr().out
    other.close()
    assert oms(tmp_path, "list") == 0


@pytest.mark.parametrize("value", ["0", "5", "two", "-1"])
def test_invalid_number_of_workers_is_rejected(value: str) -> None:
    with pytest.raises(LaunchError, match=f"WORKERS is '{value}': it must be a number from 1 to 4"):
        wanted_workers({"WORKERS": value})
    assert wanted_workers({"WORKERS": "3"}) == 3


@pytest.mark.parametrize(("replicas", "count"), [(1, 2), (2, 2), (3, 1)])
def test_more_replicas_get_fewer_workers_where_the_machine_has_no_room(replicas: int, count: int) -> None:
    assert wanted_workers({}, replicas) == count
