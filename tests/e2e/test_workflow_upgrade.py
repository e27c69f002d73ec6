"""The exercise of docs/upgrades.md: the order workflow changes under load, with named versions and with a patch."""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from launcher.paths import ROOT
from tests.e2e.collector import Collector
from tests.e2e.groups import System
from tests.e2e.launch import PATIENT, log_files, make_stack, running
from tests.e2e.polling import eventually
from tests.e2e.shopper import Shopper

PORT_OFFSET = 6000
DOCUMENT = ROOT / "docs" / "upgrades.md"
HIGH_VALUE = 120_000
SECONDS_BETWEEN = 0.3
ADD, SWITCH, REMOVE = re.findall(r"^    git apply (docs/upgrades/\S+)$", DOCUMENT.read_text(), re.MULTILINE)
NOTIFIED = "warehouse.notified"

pytestmark = pytest.mark.timeout(300)


@dataclass
class Deployment:
    """A running system, its code and its customer."""

    system: System
    code: Path
    shopper: Shopper

    def patch(self, *arguments: str) -> None:
        """Change the code by `git apply`."""
        *options, name = arguments
        env = os.environ | {"GIT_CEILING_DIRECTORIES": str(self.code.parent)}
        subprocess.run(["git", "apply", *options, ROOT / name], cwd=self.code, env=env, check=True)

    def oms(self, *arguments: str) -> None:
        """Run a command of `oms worker`."""
        command = [ROOT / ".venv" / "bin" / "oms", "worker", *arguments, "--state-dir", self.system.stack.state_dir]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)

    def replace_workers(self) -> None:
        """Replace the workers one by one: start a new one, then stop an old one."""
        for name in self.system.stack.workers:
            self.oms("start")
            eventually(lambda: self.connected() == 3)
            self.oms("stop", name)
            eventually(lambda: self.connected() == 2)

    def connected(self) -> int:
        """Return how many workers are connected to the sidecar."""
        return int(self.system.shop.get("orderprocessing", "/orders/stats")["workerCount"])

    def waiting_order(self, sku: str) -> str:
        """Place an order that waits for its approval, so that its workflow has begun."""
        order_id = self.shopper.orders({sku: 1})
        self.shopper.sees(order_id, "approvalRequired")
        return order_id

    def approves(self, order_id: str) -> None:
        self.shopper.shop.approve(order_id)
        self.shopper.sees_shipments(order_id, "booked")

    def took_the_step(self, order_id: str) -> bool:
        """Return whether the warehouse was notified; the timeline and the engine's history must agree."""
        noted = [step["type"] for step in self.shopper.shop.timeline(order_id)].count(NOTIFIED)
        [*histories] = self.shopper.shop.get("orderprocessing", f"/orders/{order_id}/history")
        ran = str(histories).count("'notify_warehouse'")
        assert noted in {0, 1}
        assert bool(noted) == bool(ran), histories
        return bool(noted)


@dataclass
class Stream:
    """Orders that a customer places without a pause."""

    shopper: Shopper
    sku: str

    def __post_init__(self) -> None:
        """Begin."""
        self.placed: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._place, daemon=True)
        self._thread.start()

    def _place(self) -> None:
        while not self._over.wait(SECONDS_BETWEEN):
            self.placed.append(self.shopper.orders({self.sku: 1}))

    def next_orders(self, count: int = 3) -> list[str]:
        """Return orders that are placed from now on, once they are booked."""
        before = len(self.placed)
        eventually(lambda: len(self.placed) >= before + count)
        orders = self.placed[before : before + count]
        for order_id in orders:
            self.shopper.sees_shipments(order_id, "booked")
        return orders

    def end(self) -> None:
        self._over.set()
        self._thread.join()


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("upgrade")
    code = folder / "code"
    shutil.copytree(ROOT / "services", code / "services", ignore=shutil.ignore_patterns("__pycache__"))
    (code / ".venv").symlink_to(ROOT / ".venv")
    stack = make_stack(folder / "state", PORT_OFFSET, PATIENT | {"WORKERS": "2"}, collector.address)
    stack.root = code
    with running(stack) as system:
        yield Deployment(system, code, Shopper(system.shop))


def test_orders_end_by_the_path_with_which_they_began_while_the_workflow_changes(deployment: Deployment) -> None:
    shopper = deployment.shopper
    high_value = shopper.goods(price=HIGH_VALUE, a=9)
    before = deployment.waiting_order(high_value)
    stream = Stream(shopper, shopper.goods(a=10_000))

    deployment.patch(ADD)
    deployment.replace_workers()
    old = stream.next_orders()

    deployment.patch(SWITCH)
    deployment.replace_workers()
    new = stream.next_orders()
    after, patched = (deployment.waiting_order(high_value) for _ in range(2))
    deployment.approves(before)

    deployment.patch("-R", SWITCH)
    deployment.replace_workers()
    old += stream.next_orders()
    deployment.approves(after)

    stopped_at = len(shopper.placed)
    for name in deployment.system.stack.workers:
        deployment.oms("stop", name)
    deployment.patch(SWITCH)
    deployment.patch(REMOVE)
    while_stopped = shopper.orders({high_value: 1})
    deployment.oms("start", "-n", "2")
    eventually(lambda: deployment.connected() == 2)
    begun_without_workers = shopper.placed[stopped_at:]
    deployment.approves(patched)
    shopper.sees(while_stopped, "approvalRequired")
    deployment.approves(while_stopped)
    removed = [patched, while_stopped, *stream.next_orders()]
    stream.end()

    steps = {order_id: deployment.took_the_step(order_id) for order_id in (*old, *new, *removed, before, after)}
    assert steps == dict.fromkeys([*old, before, *removed], False) | dict.fromkeys([*new, after], True)
    assert_all_complete(shopper)
    assert_no_version_was_missed(deployment, begun_without_workers)


def assert_all_complete(shopper: Shopper) -> None:
    """Deliver every order that was placed; the new code replays what the old code recorded."""
    with ThreadPoolExecutor(6) as pool:
        ends = list(pool.map(shopper.delivers, shopper.placed))
    assert {end["status"] for end in ends} == {"completed"}


def assert_no_version_was_missed(deployment: Deployment, begun_without_workers: list[str]) -> None:
    """Check that no workflow failed or stalled and was then repaired.

    The engine starts no workflow without a worker, so the reconciler may start those of orders placed meanwhile.
    """
    logs = [log for log in log_files(deployment.system.stack.state_dir) if log.name.startswith("worker-")]
    lines = [line for log in logs for line in log.read_text().splitlines()]
    problems = ("is stalled", "restarting the missing workflow", "terminating a stuck workflow", " ERROR ")
    found = [line for line in lines if any(problem in line for problem in problems)]
    assert [line for line in found if not any(order_id in line for order_id in begun_without_workers)] == []
    assert len(lines) > len(deployment.shopper.placed)
