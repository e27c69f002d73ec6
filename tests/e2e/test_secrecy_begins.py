"""Encryption is enabled on a system with existing orders, and a workflow is rerun from the middle."""

import json
from pathlib import Path

import pytest
from dapr.conf import settings
from dapr.ext.workflow import DaprWorkflowClient

from launcher.paths import ROOT
from services.common.encryption import key_file
from services.common.encryption.encryptor import USE_CURRENT, Encryptor
from services.common.encryption.keys import FileKeys
from services.orderprocessing.engine.history import instance_view
from services.orderprocessing.engine.payload_codec import Codec
from services.orderprocessing.engine.workflow_client import _INNER_CLIENT, _join
from tests.e2e import consistency
from tests.e2e.collector import Collector
from tests.e2e.groups import System
from tests.e2e.launch import PATIENT, make_stack, running
from tests.e2e.plaintext_search import dump_uncompressed, where_found
from tests.e2e.polling import eventually, holds
from tests.e2e.redis_direct import Redis
from tests.e2e.shopper import Shopper

PORT_OFFSET = 9000

pytestmark = pytest.mark.timeout(240)


def test_orders_from_before_encryption_continue_and_their_workflows_can_be_rerun(
    tmp_path: Path, collector: Collector
) -> None:
    stack = make_stack(tmp_path, PORT_OFFSET, PATIENT, collector.address)
    stack.encrypted = False
    with running(stack) as system:
        shopper = Shopper(system.shop)
        sku = shopper.goods(price=30_000, a=20)
        waiting, delivered = shopper.orders({sku: 4}), shopper.orders({sku: 1})
        shopper.delivers(delivered)
        shopper.sees(waiting, "approvalRequired")
        assert_search_finds_texts(system, shopper, sku)
    assert b"sealed:" not in redis_files(stack.state_dir)
    stack = make_stack(tmp_path, PORT_OFFSET, PATIENT, collector.address)
    with running(stack) as system:
        shopper.shop = system.shop
        assert system.shop.order(delivered)["customerId"] == shopper.customer_id
        assert len(system.shop.get("orderprocessing", "/orders", customerId=shopper.customer_id)) == 3
        system.shop.approve(waiting)
        shopper.delivers(waiting)
        assert b"sealed:" in redis_files(stack.state_dir)
        shopper.delivers(shopper.orders({sku: 2}))
        inputs = rerun(system, waiting)
        assert inputs == [waiting] * len(inputs)
        holds(lambda: consistency.assert_money_agrees(shopper))
        holds(lambda: consistency.assert_stock_agrees(shopper))
        holds(lambda: consistency.assert_feed_agrees(shopper))


def test_keys_can_come_from_a_secret_store_of_the_sidecar(tmp_path: Path, collector: Collector) -> None:
    env = PATIENT | {"ENCRYPTION_KEY_ID": USE_CURRENT, "ENCRYPTION_SECRET_STORE": "secretstore"}
    stack = make_stack(tmp_path, PORT_OFFSET, env, collector.address)
    stack.encrypted = False
    key_file.ensure(tmp_path / "keys.json")
    secrets = tmp_path / "secrets.json"
    secrets.write_text(json.dumps({"oms-keys": key_file.read(tmp_path / "keys.json")}))
    component = (ROOT / "alternatives" / "secretstore" / "secretstore.yaml").read_text()
    assert stack.run_template
    folder = stack.run_template.parent / "components"
    (folder / "secretstore.yaml").write_text(component.replace(".state/secrets.json", str(secrets)))
    with running(stack) as system:
        shopper = Shopper(system.shop)
        order_id = shopper.orders({shopper.goods(a=2): 1})
        shopper.delivers(order_id)
        assert f'"{shopper.customer_id}"'.encode() not in redis_files(stack.state_dir)
        encryptor = Encryptor(FileKeys(tmp_path / "keys.json"))
        with Redis(stack.ports.redis, 1) as redis:
            name = f"order/{order_id}"
            record = encryptor.decrypt(redis.encrypted_record("orderprocessing", name), name)
        assert json.loads(record)["customer_id"] == shopper.customer_id


def assert_search_finds_texts(system: System, shopper: Shopper, sku: str) -> None:
    """Check that the search finds the texts where data is not encrypted."""
    decided = shopper.orders({sku: 4})
    shopper.sees(decided, "approvalRequired")
    decision = {"approver": "Ottoline Featherstonehaugh", "approved": False}
    system.shop.post("orderprocessing", f"/orders/{decided}/approve", decision, 202)
    shopper.sees(decided, "cancelled")
    dump_uncompressed(system.stack)
    for text, files in where_found(system.stack, [shopper.customer_id, sku, "Ottoline", "Featherstonehaugh"]).items():
        assert {"dump.rdb"} < {file.rpartition("/")[2] for file in files}, text


def redis_files(folder: Path) -> bytes:
    """Return the files of Redis."""
    return b"".join(path.read_bytes() for path in (folder / "redis").rglob("*") if path.is_file())


def rerun(system: System, order_id: str) -> list[str]:
    """Rerun the workflow of an order from its second step, wait for its end, and return the inputs of its steps."""
    port = next(app.ports["daprGRPCPort"] for app in system.stack.apps() if app.app_id == "orderprocessing")
    # The SDK reads the API token of the sidecar only from here.
    settings.DAPR_API_TOKEN = system.stack.tokens("orderprocessing").sidecar
    client = DaprWorkflowClient(host="127.0.0.1", port=str(port))
    _join(client, Codec(Encryptor(FileKeys(system.stack.keys_file), USE_CURRENT)))
    inner = getattr(client, _INNER_CLIENT)
    steps = [event for event in inner.get_instance_history(f"order-{order_id}") if event.HasField("taskScheduled")]
    again = client.rerun_workflow_from_event(f"order-{order_id}", steps[1].eventId, new_instance_id=f"again-{order_id}")
    state = client.wait_for_workflow_completion(again, timeout_in_seconds=30)
    assert state is not None
    assert state.runtime_status.name == "COMPLETED", state
    events = instance_view(again, eventually(lambda: inner.get_instance_history(again)))["events"]
    return [event["input"]["orderId"] for event in events if event["input"] is not None]
