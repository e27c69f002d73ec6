"""`dapr workflow` on running orders, as docs/workflows.md describes it: list, history, raise-event and terminate."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.e2e.polling import eventually
from tests.e2e.shopper import Shopper

STORE = "redis://localhost:6379/2"
HIGH_VALUE = 120_000
APPROVED = {"approver": "Robin", "approved": True}


class Cli:
    """The CLI on the PATH, run in a checkout."""

    def __init__(self, checkout: Path) -> None:
        self._checkout = checkout
        # The CLI reads the path of the components from the arguments of daprd, and cuts it at the first space.
        cut = Path(str(checkout / "components").partition(" ")[0])
        if not cut.exists():
            cut.symlink_to(checkout / "components")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["dapr", "workflow", *arguments, "--app-id", "orderprocessing"]
        return subprocess.run(command, cwd=self._checkout, capture_output=True, text=True, check=False, timeout=60)

    def succeeds(self, *arguments: str) -> str:
        result = self.run(*arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def raises(self, instance: str, event: str, payload: object) -> None:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        self.succeeds("raise-event", f"{instance}/{event}", "--input", text)

    def statuses(self) -> dict[str, str]:
        """Return the status of each instance by its id."""
        listed = json.loads(self.succeeds("list", "--connection-string", STORE, "--output", "json"))
        return {line["instanceID"]: line["runtimeStatus"] for line in listed}


def check_cli(checkout: Path, shopper: Shopper) -> None:
    """Use every command that the documentation names."""
    cli, shop = Cli(checkout), shopper.shop
    sku = shopper.goods(price=HIGH_VALUE, a=4)
    order_id = shopper.orders({sku: 1})
    shopper.sees(order_id, "approvalRequired")
    instance = f"order-{order_id}"
    assert cli.statuses()[instance] == "RUNNING"
    cli.raises(instance, "approval", '{"approver":')
    refused = "Event 'approval' refused: the payload is not JSON"
    eventually(lambda: refused in messages(shop.timeline(order_id)))
    cli.raises(instance, "approval", APPROVED)
    [shipment] = shopper.sees_shipments(order_id, "booked")
    assert "Robin" in {step["actor"] for step in shop.timeline(order_id)}
    for status in ("dispatched", "delivered"):
        cli.raises(f"shipment-{shipment.replace(':', '-')}", "status", {"status": status})
    shopper.sees(order_id, "completed")
    # This version of the CLI reads histories where an older runtime kept them. If it shows one, change the page.
    assert "order_workflow" not in cli.succeeds("history", instance)
    assert cli.run("raise-event", "order-unknown/approval", "--input", "{}").returncode != 0
    check_terminated_order_continues(cli, shopper, sku)


def check_terminated_order_continues(cli: Cli, shopper: Shopper, sku: str) -> None:
    """Terminate the workflow of a waiting order: the next decision restarts it from the order's record."""
    order_id = shopper.orders({sku: 1})
    shopper.sees(order_id, "approvalRequired")
    cli.succeeds("terminate", f"order-{order_id}")
    eventually(lambda: shopper.shop.order(order_id)["workflow"]["status"] == "TERMINATED")
    assert shopper.shop.order(order_id)["status"] == "approvalRequired"
    shopper.shop.approve(order_id)
    shopper.delivers(order_id)
    reserved = [step for step in shopper.shop.timeline(order_id) if step["type"] == "order.reserved"]
    assert len(reserved) == 1


def messages(timeline: list[dict[str, Any]]) -> list[str]:
    return [step["message"] for step in timeline]
