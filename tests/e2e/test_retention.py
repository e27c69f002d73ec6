"""The engine purges the workflows of a final order after the retention time. The order itself stays."""

from pathlib import Path

import pytest

from tests.e2e.collector import Collector
from tests.e2e.launch import PATIENT, make_stack, running
from tests.e2e.polling import eventually
from tests.e2e.redis_direct import Redis
from tests.e2e.shopper import Shopper

PORT_OFFSET = 6000
ENGINE = 2
_DAY, _SOON = "completed: 24h", "completed: 3s"

pytestmark = pytest.mark.timeout(120)


def test_workflows_of_a_final_order_are_purged_and_the_order_stays(tmp_path: Path, collector: Collector) -> None:
    stack = make_stack(tmp_path, PORT_OFFSET, PATIENT, collector.address)
    settings = tmp_path / "source" / "components" / "config.yaml"
    assert _DAY in settings.read_text()
    settings.write_text(settings.read_text().replace(_DAY, _SOON))
    with running(stack) as system:
        shopper = Shopper(system.shop)
        sku = shopper.goods(a=2)
        order_id, other = shopper.orders({sku: 1}), shopper.orders({sku: 1})
        shopper.delivers(order_id)
        eventually(lambda: system.shop.get("orderprocessing", f"/orders/{order_id}/history") == [])
        with Redis(stack.ports.redis, ENGINE) as redis:
            assert redis("KEYS", f"*{order_id}*") == []
            assert redis("KEYS", f"*{other}*") != []
        assert system.shop.order(order_id)["status"] == "completed"
        assert system.shop.timeline(order_id)[-1]["type"] == "order.completed"
        shopper.delivers(other)
