"""A minimal workflow engine: Redis, placement, scheduler, one sidecar and one worker."""

import json
import os
import socket
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from dapr.ext.workflow import DaprWorkflowClient

from launcher.paths import ROOT
from launcher.setup.dapr import ensure_dapr
from launcher.setup.redis import ensure_redis
from launcher.supervision.child_process import Child
from tests.engine.proxy import BreakingProxy

HOST = "127.0.0.1"
APP = "engine-test"
_UP_WITHIN = 60.0
_POLL = 0.05
_STORE = """apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: store
spec:
  type: state.redis
  version: v1
  metadata:
    - {{name: redisHost, value: "127.0.0.1:{port}"}}
    - {{name: redisPassword, value: ""}}
    - {{name: redisMaxRetries, value: "-1"}}
    - {{name: actorStateStore, value: "true"}}
"""


class Engine:
    """The processes, and the client of the sidecar. `start` and `kill` take a name of `NAMES`."""

    NAMES = ("redis", "placement", "scheduler", "sidecar", "worker")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._dapr = ensure_dapr()
        self._ports = _free_ports(
            *("redis", "placement", "placement health", "raft", "scheduler", "scheduler health", "etcd", "etcd peer"),
            *("http", "grpc", "internal", "metrics", "metrics of placement", "metrics of scheduler"),
        )
        self.proxy = BreakingProxy(self._ports["redis"])
        self._children: dict[str, Child] = {}
        (folder / "components").mkdir()
        (folder / "components" / "store.yaml").write_text(_STORE.format(port=self.proxy.port))
        for name in self.NAMES:
            self.start(name)

    @property
    def etcd_port(self) -> int:
        """The client port of the scheduler's etcd."""
        return self._ports["etcd"]

    def start(self, name: str, within: float = _UP_WITHIN) -> None:
        """Start a process and wait until it is up. Raises AssertionError when that takes too long."""
        commands = {
            "redis": [ensure_redis(), "--port", self._port("redis"), "--bind", HOST, "--dir", str(self._folder)],
            "placement": self._placement(),
            "scheduler": self._scheduler(),
            "sidecar": self._sidecar(),
            "worker": [sys.executable, "-m", "tests.engine.worker"],
        }
        up: dict[str, Callable[[], bool]] = {
            "redis": lambda: _listens(self._ports["redis"]),
            "placement": lambda: _healthy(self._ports["placement health"], "healthz"),
            "scheduler": lambda: _healthy(self._ports["scheduler health"], "healthz"),
            "sidecar": lambda: _healthy(self._ports["http"], "v1.0/healthz/outbound"),
            "worker": lambda: self.connected_workers() == 1,
        }
        env = {"DAPR_GRPC_PORT": self._port("grpc"), "PYTHONPATH": str(ROOT), "DAPR_HOST_IP": HOST}
        child = self._children[name] = Child(name, list(commands[name]), self._folder, env=env)
        wait_until(lambda: child.ended() or up[name](), within)
        if child.ended():
            raise RuntimeError(f"{name} {child.how_it_ended()}: {child.log.read_text()[-2000:]}")

    def kill(self, name: str) -> None:
        """Kill a process with SIGKILL."""
        self._children.pop(name).kill()

    def add_worker(self, name: str, module: str, *arguments: str) -> None:
        """Start another worker, and wait until it is connected. Raises AssertionError when that takes too long."""
        before = self.connected_workers()
        env = {"DAPR_GRPC_PORT": self._port("grpc"), "PYTHONPATH": str(ROOT)}
        self._children[name] = Child(name, [sys.executable, "-m", module, *arguments], self._folder, env=env)
        wait_until(lambda: self.connected_workers() > before, _UP_WITHIN)

    def remove_worker(self, name: str) -> None:
        """Stop a worker, and wait until the sidecar has noticed."""
        before = self.connected_workers()
        self._children.pop(name).stop()
        wait_until(lambda: self.connected_workers() < before, _UP_WITHIN)

    def stop(self) -> None:
        """Kill all processes, and close the proxy."""
        for name in list(self._children):
            self.kill(name)
        self.proxy.close()

    def connected_workers(self) -> int:
        """Return the number of workers connected to the sidecar."""
        with urllib.request.urlopen(f"http://{HOST}:{self._port('http')}/v1.0/metadata", timeout=5) as answer:
            return int(json.load(answer).get("workflows", {}).get("connectedWorkers", 0))

    def client(self) -> DaprWorkflowClient:
        """Return a client of the sidecar. The caller closes it."""
        return DaprWorkflowClient(host=HOST, port=self._port("grpc"))

    def start_workflow(self, name: str, instance: str) -> None:
        """Start an instance of a workflow of `worker.py`. Retries until the engine accepts it."""
        client = self.client()
        wait_until(lambda: try_to_start(client, name, instance), _UP_WITHIN)
        client.close()  # type: ignore[no-untyped-call]

    def status(self, instance: str) -> str:
        """Return the name of an instance's status, or an empty string when the engine does not answer."""
        client = self.client()
        try:
            state = client.get_workflow_state(instance, fetch_payloads=False)
        except grpc.RpcError:
            return ""
        finally:
            client.close()  # type: ignore[no-untyped-call]
        return state.runtime_status.name if state else ""

    def _port(self, name: str) -> str:
        return str(self._ports[name])

    def _placement(self) -> list[str | Path]:
        return [
            self._dapr.binary("placement"),
            *(f"--port={self._port('placement')}", f"--healthz-port={self._port('placement health')}"),
            f"--metrics-port={self._port('metrics of placement')}",
            f"--initial-cluster=dapr-placement-0={HOST}:{self._port('raft')}",
        ]

    def _scheduler(self) -> list[str | Path]:
        return [
            self._dapr.binary("scheduler"),
            *(f"--port={self._port('scheduler')}", f"--healthz-port={self._port('scheduler health')}"),
            f"--metrics-port={self._port('metrics of scheduler')}",
            f"--override-broadcast-host-port={HOST}:{self._port('scheduler')}",
            *(f"--etcd-data-dir={self._folder / 'etcd'}", f"--etcd-client-port={self._port('etcd')}"),
            f"--etcd-initial-cluster=dapr-scheduler-server-0=http://{HOST}:{self._port('etcd peer')}",
        ]

    def _sidecar(self) -> list[str | Path]:
        return [
            self._dapr.binary("daprd"),
            *("--app-id", APP, "--resources-path", self._folder / "components"),
            *("--dapr-http-port", self._port("http"), "--dapr-grpc-port", self._port("grpc")),
            *("--dapr-internal-grpc-port", self._port("internal"), "--metrics-port", self._port("metrics")),
            *("--placement-host-address", f"{HOST}:{self._port('placement')}"),
            *("--scheduler-host-address", f"{HOST}:{self._port('scheduler')}"),
            *("--log-level", os.environ.get("ENGINE_LOG_LEVEL", "info")),
        ]


def try_to_start(client: DaprWorkflowClient, name: str, instance: str) -> bool:
    """Try once to start an instance of a workflow of `worker.py`. Return whether the engine accepted it."""
    try:
        client.schedule_new_workflow(_named(name), input=instance, instance_id=instance)
    except grpc.RpcError:
        return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float) -> float:
    """Wait until the condition holds, and return the duration. Raises AssertionError at the timeout."""
    began = time.monotonic()
    while not _safely(condition):
        if time.monotonic() - began > seconds:
            raise AssertionError(f"not within {seconds:.0f} s")
        time.sleep(_POLL)
    return time.monotonic() - began


def _safely(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except OSError:
        return False


def _named(name: str) -> Callable[..., Any]:
    def workflow() -> None:
        """Represent the workflow. A client needs only its name."""

    workflow.__name__ = name
    return workflow


def _listens(port: int) -> bool:
    with socket.create_connection((HOST, port), timeout=1):
        return True


def _healthy(port: int, path: str) -> bool:
    with urllib.request.urlopen(f"http://{HOST}:{port}/{path}", timeout=2) as answer:
        return bool(200 <= answer.status < 300)


def _free_ports(*names: str) -> dict[str, int]:
    sockets = [socket.create_server((HOST, 0)) for _ in names]
    ports = {name: int(one.getsockname()[1]) for name, one in zip(names, sockets, strict=True)}
    for one in sockets:
        one.close()
    return ports
