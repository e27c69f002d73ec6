"""The token of a sidecar gives access to the resources of its own service only."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
import requests

from tests.e2e.groups import System
from tests.e2e.polling import eventually
from tests.e2e.shopper import Shopper

WORKFLOWS = "dapr.internal.default.orderprocessing.workflow"
ACTIVITIES = "dapr.internal.default.orderprocessing.activity"
THIEF = "fraud"
"""The service whose token was stolen."""

Ask = Callable[..., requests.Response]


@pytest.fixture
def ask(system: System) -> Ask:
    """Return a function that calls a sidecar with its own token: method, path, body and service."""

    def asked(method: str, path: str, body: Any = None, of: str = THIEF) -> requests.Response:
        token = {"dapr-api-token": system.stack.tokens(of).sidecar}
        url = f"{system.stack.sidecar_address(of)}/{path}"
        return requests.request(method, url, json=body, headers=token, timeout=10)

    return asked


def waiting_order(shopper: Shopper) -> str:
    order_id = shopper.orders({shopper.goods(price=200_000, a=1): 1})
    shopper.sees(order_id, "approvalRequired")
    return order_id


@pytest.mark.parametrize("actor_type", [WORKFLOWS, ACTIVITIES])
@pytest.mark.parametrize("method", ["AddWorkflowEvent", "CreateWorkflowInstance", "PurgeWorkflowState", "Execute"])
def test_no_sidecar_can_call_actors(ask: Ask, shopper: Shopper, actor_type: str, method: str) -> None:
    """By default Dapr 1.18 lets every sidecar end every workflow and run every activity."""
    for of in (THIEF, "orderprocessing"):
        path = f"v1.0/actors/{actor_type}/order-nobody/method/{method}"
        assert ask("PUT", path, {}, of).json()["errorCode"] == "ERR_DIRECT_INVOKE"  # the API does not exist


def test_no_sidecar_can_call_actors_or_read_state_over_grpc(system: System) -> None:
    port = next(app.ports["daprGRPCPort"] for app in system.stack.apps() if app.app_id == THIEF)
    token = (("dapr-api-token", system.stack.tokens(THIEF).sidecar),)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for name in ("InvokeActor", "InvokeService", "GetState", "PublishEvent", "GetSecret", "StartWorkflowBeta1"):
            call = channel.unary_unary(f"/dapr.proto.runtime.v1.Dapr/{name}")
            with pytest.raises(grpc.RpcError) as refused:
                call(b"", metadata=token, timeout=10)
            assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED, name


def test_workflows_of_another_service_cannot_be_ended_or_signalled(ask: Ask, shopper: Shopper) -> None:
    order_id = waiting_order(shopper)
    for action in ("terminate", "raiseEvent/wake-up", "purge", "pause"):
        assert not ask("POST", f"v1.0-beta1/workflows/dapr/order-{order_id}/{action}", {}).ok
    eventually(lambda: shopper.shop.order(order_id)["workflow"]["status"] == "RUNNING")
    shopper.shop.approve(order_id)
    shopper.delivers(order_id)


def test_records_of_another_service_cannot_be_read(ask: Ask, shopper: Shopper) -> None:
    order_id = waiting_order(shopper)
    for key in (f"order/{order_id}", f"orderprocessing||order/{order_id}", f"../orderprocessing||order/{order_id}"):
        answer = ask("POST", "v1.0/state/statestore/bulk", {"keys": [key]})
        assert not answer.ok or not any("data" in item for item in answer.json()), answer.text
    assert not ask("POST", "v1.0-alpha1/state/statestore/query", {"filter": {}}).ok
    assert not ask("GET", "v1.0/state/workflowstore/any").ok
    shopper.shop.approve(order_id, approved=False)


@pytest.mark.parametrize("of", [THIEF, "notifications", "web"])
def test_only_orderprocessing_publishes_order_events(ask: Ask, of: str) -> None:
    event = {"specversion": "1.0", "id": "forged/1", "source": "x", "type": "order.completed", "data": {}}
    assert not ask("POST", "v1.0/publish/orders/order-events", event, of).ok
    entry = {"entryId": "1", "event": event, "contentType": "application/cloudevents+json"}
    assert not ask("POST", "v1.0/publish/bulk/orders/order-events", [entry], of).ok


def test_orderprocessing_publishes_to_its_topic_only(ask: Ask) -> None:
    for topic in ("order-events-dead", "another"):
        assert ask("POST", f"v1.0/publish/orders/{topic}", {}, "orderprocessing").status_code == 403


@pytest.mark.parametrize("path", ["bindings/any", "configuration/any?key=a", "lock/statestore", "crypto/any/encrypt"])
def test_sidecar_has_no_unused_api(ask: Ask, path: str) -> None:
    for version in ("v1.0", "v1.0-alpha1"):
        assert ask("POST", f"{version}/{path}", {}).json()["errorCode"] == "ERR_DIRECT_INVOKE"
