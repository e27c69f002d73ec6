"""A service in a process of its own, and client threads that send requests until it refuses connections."""

import http.client
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from launcher.paths import ROOT
from tests.e2e.polling import eventually

HOST = "127.0.0.1"
BODY = b"x" * 3000


def free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


@dataclass
class Service:
    """A process that serves, its port and what it logs."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=15)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def up(self) -> bool:
        if (code := self.process.poll()) is not None:
            raise RuntimeError(f"the service ended with {code}: {self.log.read_text()}")
        try:
            return self.ask("GET", "/healthz")[0] == 200
        except OSError:
            return False


@contextmanager
def running(folder: Path, module: str, *arguments: str, **env: str) -> Iterator[Service]:
    """Run a module that serves on the port given in APP_PORT, and wait until it answers."""
    port, log = free_port(), folder / "service.log"
    settings = {**os.environ, "APP_PORT": str(port), "DAPR_HTTP_PORT": "1", "DAPR_GRPC_PORT": "1", **env}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], cwd=ROOT, env=settings, stdout=out, stderr=out
        )
    try:
        service = Service(port, process, log)
        eventually(service.up)
        yield service
    finally:
        process.kill()
        process.wait()


@dataclass
class LoadThreads:
    """Threads that ask `POST /echo`, each over fresh connections or over one that it keeps; counts what came of it."""

    port: int
    answered: int = 0
    refused: int = 0
    failed: list[str] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, clients: int, kept: bool) -> None:
        for _ in range(clients):
            thread = threading.Thread(target=self._ask_until_refused, args=(kept,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def wait(self) -> None:
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    def _ask_until_refused(self, kept: bool) -> None:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=20)
        while not self.failed:
            try:
                if connection.sock is not None and _is_dropped(connection.sock):
                    connection.close()
                if connection.sock is None:
                    connection.connect()
            except ConnectionRefusedError:
                with self._guard:
                    self.refused += 1
                return
            try:
                connection.request("POST", "/echo?seconds=0.005", BODY)
                whole = connection.getresponse().read() == BODY
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(f"{'kept' if kept else 'fresh'}: {error!r}")
                return
            with self._guard:
                self.answered += 1
            if not whole:
                self.failed.append("an answer in pieces")
            if not kept:
                connection.close()


def _is_dropped(sock: socket.socket) -> bool:
    """Return whether the other side has closed the connection, as every client asks before it uses one again."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
