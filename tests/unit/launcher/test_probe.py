"""The liveness probe works under any number of client connections, and detects a hung process."""

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from launcher.paths import ROOT
from launcher.supervision import probe, supervisor
from launcher.supervision.probe import Probe
from launcher.supervision.supervisor import ProcessSpec, SupervisedProcess, stop_supervised
from tests.e2e.polling import eventually
from tests.unit.common.service_process import HOST, free_port

CLIENTS = 60
SLOW = b"POST /echo?seconds=3600 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"INITIAL_BACKOFF_S": 0.02, "POLL_S": 0.02, "PROBE_INTERVAL_S": 0.05}.items():
        monkeypatch.setattr(supervisor, name, seconds)
    monkeypatch.setattr(probe, "TIMEOUT_S", 0.5)


class Service(SupervisedProcess):
    """A real service under supervision."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port, self.asked = port, 0
        asks = Probe()

        def answers() -> bool:
            answered = asks.answers()
            self.asked += answered
            return answered

        env = {"APP_PORT": str(port), "DAPR_HTTP_PORT": "1", "CONNECTION_LIMIT": "20", "SERVER_THREADS": "2"}
        command: list[str | Path] = [sys.executable, "-m", "tests.unit.common.counter"]
        super().__init__(ProcessSpec("counter", command, answers, env, ROOT, probe=asks), folder)

    def connect(self) -> socket.socket:
        return socket.create_connection((HOST, self.port), timeout=15)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    found = Service(tmp_path, free_port())
    try:
        eventually(lambda: found.is_up)
        yield found
    finally:
        stop_supervised([found], 5)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


@pytest.mark.parametrize("begin", [b"", b"GET /heal"])
def test_probe_answers_while_clients_occupy_every_connection(service: Service, stack: ExitStack, begin: bytes) -> None:
    before = service.pid
    for _ in range(CLIENTS):
        stack.enter_context(service.connect()).sendall(begin)
    asked = service.asked
    eventually(lambda: service.asked > asked + 40)
    assert service.pid == before


def test_process_with_a_hung_event_loop_is_restarted(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    check_restarted(service, monkeypatch, lambda pid: os.kill(pid, signal.SIGSTOP))


def test_process_whose_threads_all_hang_is_restarted(
    service: Service, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = [stack.enter_context(service.connect()) for _ in range(3)]
    check_restarted(service, monkeypatch, lambda _pid: [end.sendall(SLOW) for end in ends])


def check_restarted(service: Service, monkeypatch: pytest.MonkeyPatch, hang: Callable[[int], object]) -> None:
    before = service.pid
    assert before
    hang(before)
    with monkeypatch.context() as soon:
        soon.setattr(supervisor, "HANG_TIMEOUT_S", 1.0)
        eventually(lambda: service.pid != before)
    asked = service.asked
    eventually(lambda: service.is_up and service.asked > asked + 3)


def test_late_answer_counts_once() -> None:
    asks = Probe()
    with asks.opened() as end:
        theirs = socket.socket(fileno=os.dup(end))
    with theirs:
        assert [asks.answers(), asks.answers()] == [False, False]
        assert theirs.recv(4096).count(b"HEAD /healthz") == 1
        theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n")
        assert [asks.answers(), asks.answers()] == [True, False]
        theirs.sendall(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
        assert not asks.answers()
    assert not asks.answers()
    asks.close()
    assert not asks.answers()
