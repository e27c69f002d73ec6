"""Somebody changes an order's record in Redis: that order alone waits, and an order that was in need is mended."""

import pytest
from dapr.conf import settings
from dapr.ext.workflow import DaprWorkflowClient

from tests.e2e.collector import Collector
from tests.e2e.groups import System
from tests.e2e.launch import PATIENT, make_stack, running, worker_logs
from tests.e2e.polling import eventually
from tests.e2e.redis_direct import Redis
from tests.e2e.shopper import Shopper

PORT_OFFSET = 11000
RECORDS = 1
PASSED_OVER = "skipping an unreadable order"

pytestmark = pytest.mark.timeout(240)


def lose_workflow(system: System, order_id: str) -> None:
    """Have the engine forget an order's workflow, as a store that was put back from a copy does."""
    port = next(app.ports["daprGRPCPort"] for app in system.stack.apps() if app.app_id == "orderprocessing")
    # The SDK takes the token that the sidecar wants to be shown from here only.
    settings.DAPR_API_TOKEN = system.stack.tokens("orderprocessing").sidecar
    client, instance = DaprWorkflowClient(host="127.0.0.1", port=str(port)), f"order-{order_id}"
    client.terminate_workflow(instance)
    assert client.wait_for_workflow_completion(instance, timeout_in_seconds=30)
    client.purge_workflow(instance)
    eventually(lambda: client.get_workflow_state(instance) is None)


def test_one_unreadable_order_keeps_no_other_from_being_mended(
    tmp_path_factory: pytest.TempPathFactory, collector: Collector
) -> None:
    folder = tmp_path_factory.mktemp("unreadable")
    with running(make_stack(folder, PORT_OFFSET, PATIENT, collector.address)) as system:
        shopper, shop, stack = Shopper(system.shop), system.shop, system.stack
        dear = shopper.goods(price=120_000, a=20)
        lost, spoilt = shopper.orders({dear: 1}), shopper.orders({dear: 1})
        for order_id in (lost, spoilt):
            shopper.sees(order_id, "approvalRequired")
        key = f"orderprocessing||order/{spoilt}"
        with Redis(system.stack.ports.redis, RECORDS) as redis:
            before = redis("HGET", key, "data")
            redis.spoil(key.encode(), at=9)
            eventually(lambda: PASSED_OVER in worker_logs(stack))
            lose_workflow(system, lost)
            shop.approve(lost)
            shopper.delivers(lost)

            answer = shop.call("orderprocessing", "GET", f"/orders/{spoilt}")
            assert (answer.status_code, answer.json()["code"]) == (503, "unreadable")
            for query in (f"ids={lost},{spoilt}", f"customerId={shopper.customer_id}"):
                answer = shop.call("orderprocessing", "GET", f"/orders?{query}")
                assert (answer.status_code, [line["id"] for line in answer.json()]) == (200, [lost])
                assert answer.headers["Oms-Unreadable"] == "1"
            lines = {line["id"]: line["status"] for line in shop.get("orderprocessing", "/orders")}
            assert lines == {lost: "completed", spoilt: "approvalRequired"}
            assert shop.call("orderprocessing", "GET", f"/orders?ids={spoilt}").status_code == 503

            told = [line for line in worker_logs(stack).splitlines() if PASSED_OVER in line]
            # Each worker that has reconciled logs it once.
            assert 1 <= len(told) <= len(stack.workers)
            assert f"order/{spoilt} was changed" in told[0]
            assert spoilt in told[0].replace(f"order/{spoilt}", "")
            assert "the reconciler will retry" not in worker_logs(stack)
            redis("HSET", key, "data", before)
        shop.approve(spoilt)
        shopper.delivers(spoilt)
