"""The engine purges the workflows of a final order after the retention time. The order and its history stay."""

from pathlib import Path

import pytest

from services.oms.cli import main
from tests.e2e.client import Json
from tests.e2e.collector import Collector
from tests.e2e.launch import PATIENT, make_stack, running
from tests.e2e.polling import eventually
from tests.e2e.redis_direct import Redis
from tests.e2e.shopper import Shopper

PORT_OFFSET = 6000
STATE, ENGINE = 1, 2
_DAY, _SOON = "completed: 24h", "completed: 15s"
_ARCHIVED_SOON = {**PATIENT, "HISTORY_ARCHIVE_INTERVAL": "1", "HISTORY_ARCHIVE_TIME": "600"}

pytestmark = pytest.mark.timeout(150)


def test_workflows_of_a_final_order_are_purged_and_the_order_and_its_history_stay(
    tmp_path: Path, collector: Collector
) -> None:
    stack = make_stack(tmp_path, PORT_OFFSET, _ARCHIVED_SOON, collector.address)
    settings = tmp_path / "source" / "components" / "config.yaml"
    assert _DAY in settings.read_text()
    settings.write_text(settings.read_text().replace(_DAY, _SOON))
    with running(stack) as system:
        shopper = Shopper(system.shop)
        sku = shopper.goods(a=2)
        order_id, other = shopper.orders({sku: 1}), shopper.orders({sku: 1})
        shopper.delivers(order_id)

        def history() -> list[Json]:
            shown: list[Json] = system.shop.get("orderprocessing", f"/orders/{order_id}/history")
            assert [one["status"] for one in shown] == ["COMPLETED"] * 3
            return shown

        before = eventually(history)
        with Redis(stack.ports.redis, ENGINE) as redis:
            eventually(lambda: redis("KEYS", f"*{order_id}*") == [])
            assert redis("KEYS", f"*{other}*") != []
        assert system.shop.order(order_id)["status"] == "completed"
        assert system.shop.timeline(order_id)[-1]["type"] == "order.completed"
        assert history() == before
        file = tmp_path / "exported"
        address, keys = system.stack.address("orderprocessing"), str(system.stack.keys_file)
        assert main(["history", order_id, "--url", address, "--export", str(file), "--sealed", "--keys", keys]) == 0
        assert order_id.encode() not in file.read_bytes()
        assert main(["replay", str(file), "--keys", keys]) == 0
        with Redis(stack.ports.redis, STATE) as redis:
            [key] = redis("KEYS", f"*history/order-{order_id}*")
            assert 0 < int(redis("TTL", key)) <= 600
            assert order_id.encode() not in redis("HGET", key, "data")
        shopper.delivers(other)
