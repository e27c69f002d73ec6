"""The exercise of docs/exercise.md: orders get stuck in a deployed bug, and continue after the fix."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from launcher.errors import LaunchError
from launcher.paths import ROOT
from launcher.supervision import supervisor
from launcher.system.stack import Stack
from tests.e2e import consistency
from tests.e2e.collector import Collector
from tests.e2e.groups import System
from tests.e2e.launch import PATIENT, make_stack, running, worker_logs
from tests.e2e.polling import eventually, holds
from tests.e2e.shopper import Shopper

PORT_OFFSET = 6000
DOCUMENT = ROOT / "docs" / "exercise.md"
MISTAKEN = Path("services", "orderprocessing", "activities", "shipment.py")
PLACE = "    try:\n        reference = deps.shipping.book(order.id, fulfillment)\n"

pytestmark = pytest.mark.timeout(180)


@dataclass
class Deployment:
    """A running system and its code."""

    system: System
    code: Path

    def deploy(self, text: str) -> None:
        """Deploy a new version of the activity, and restart orderprocessing as `make restart` does."""
        (self.code / MISTAKEN).write_text(text)
        self.system.stack.restart({"orderprocessing"})


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Deployment]:
    """One system for both tests: each deploys the original code again at its end."""
    tmp_path = tmp_path_factory.mktemp("repair")
    code = tmp_path / "code"
    shutil.copytree(ROOT / "services", code / "services")
    (code / ".venv").symlink_to(ROOT / ".venv")
    stack = make_stack(tmp_path / "state", PORT_OFFSET, PATIENT, collector.address)
    stack.root = code
    with running(stack) as system:
        yield Deployment(system, code)


def bug() -> str:
    """Return the lines that the document adds."""
    _, _, rest = DOCUMENT.read_text().partition("```python\n")
    lines, fence, _ = rest.partition("```")
    assert fence
    return lines


def test_orders_stuck_in_an_activity_with_a_bug_resume_there_after_the_fix(deployment: Deployment) -> None:
    right = (deployment.code / MISTAKEN).read_text()
    assert right.count(PLACE) == 1, "the exercise no longer fits the code"
    deployment.deploy(right.replace(PLACE, bug() + PLACE))
    shopper, stack = Shopper(deployment.system.shop), deployment.system.stack
    sku = shopper.goods(a=50)
    fine = shopper.orders({sku: 1})
    stuck, unwanted = [shopper.orders({sku: 3}) for _ in range(3)], shopper.orders({sku: 3})
    shopper.delivers(fine)
    shopper.sees_shipments(unwanted, "pending")
    shopper.shop.act(unwanted, "cancel")
    shopper.sees(unwanted, "cancelled")
    for order_id in stuck:
        shopper.sees_shipments(order_id, "pending")
        eventually(lambda order_id=order_id: [line for line in failures(stack) if order_id in line][2:])
    before = {order_id: shopper.shop.timeline(order_id) for order_id in stuck}
    ledgers = {order_id: shopper.shop.get("billing", "/ledger", orderId=order_id) for order_id in stuck}
    deployment.deploy(right)
    for order_id in stuck:
        shopper.delivers(order_id)
        after = shopper.shop.timeline(order_id)
        assert after[: len(before[order_id])] == before[order_id]
        assert shopper.shop.get("billing", "/ledger", orderId=order_id) == ledgers[order_id]
    holds(lambda: consistency.assert_money_agrees(shopper))
    holds(lambda: consistency.assert_stock_agrees(shopper))
    holds(lambda: consistency.assert_feed_agrees(shopper))


def test_version_of_an_activity_that_does_not_start_leaves_the_api_and_the_other_services_running(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "MAX_BACKOFF_S", 0.5)
    right, stack = (deployment.code / MISTAKEN).read_text(), deployment.system.stack
    with pytest.raises(LaunchError, match=r"worker-\d exited with code 1"):
        deployment.deploy(f"{right}\n  wrongly indented")
    assert stack.failure() is None
    assert deployment.system.shop.is_ready("billing")
    assert deployment.system.shop.is_ready("orderprocessing")
    deployment.deploy(right)
    shopper = Shopper(deployment.system.shop)
    shopper.delivers(shopper.orders({shopper.goods(a=1): 1}))


def failures(stack: Stack) -> list[str]:
    """Return the log lines about an activity with a bug."""
    return [line for line in worker_logs(stack).splitlines() if " ERROR " in line and "an activity failed" in line]
