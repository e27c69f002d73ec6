"""Personal data is encrypted at rest: it is not found in Redis, in the scheduler, on the broker or in logs."""

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
import requests

from launcher.paths import VENV
from launcher.system.stack import Stack
from services.common.encryption import key_file
from tests.e2e.client import Shop
from tests.e2e.collector import Collector
from tests.e2e.groups import System
from tests.e2e.launch import PATIENT, make_stack, running, worker_logs
from tests.e2e.plaintext_search import dump_uncompressed, where_found
from tests.e2e.polling import eventually
from tests.e2e.redis_direct import Redis
from tests.e2e.shopper import Shopper

PORT_OFFSET = 9000
CUSTOMER, APPROVER = "Rosalind Quimby", "Bartholomew Thistlewood"
SKU, HIGH_VALUE_SKU, MISSING_SKU = "Zanzibar lantern", "Gilded astrolabe", "Moonstone kettle"
PLAIN_CUSTOMERS, PLAIN_SKU = ("Žofie Śląska", "Ngozi Okonkwo", "Thorvald Bjørnsen"), "Crème brûlée blowlamp"
NAMES = (CUSTOMER, APPROVER, SKU, HIGH_VALUE_SKU, MISSING_SKU, *PLAIN_CUSTOMERS, PLAIN_SKU)
SECRETS = {word for name in NAMES for word in name.split()}
"""Single words, which also finds full names with any separator."""
WAYS, PLAIN = 10, 90
BROKER, RECORDS, ENGINE = 0, 1, 2

pytestmark = pytest.mark.timeout(240)


class Patron(Shopper):
    """A customer whose name and goods are unique in any file."""

    def __init__(self, shop: Shop, name: str = CUSTOMER) -> None:
        super().__init__(shop)
        self.customer_id = name

    def new_id(self) -> str:
        raise AssertionError("an id of this customer would contain the name")

    def stocks(self, sku: str, price: int, quantity: int) -> None:
        path = f"/inventory/{quote(sku)}"
        assert self.shop.call("inventory", "PUT", path, {"unitPrice": price}).status_code == 201
        body = {"warehouse": "Warehouse A", "quantity": quantity}
        self.shop.post("inventory", f"{path}/restock", body, headers={"Idempotency-Key": f"more {sku}"})

    def decides(self, order_id: str, approved: bool) -> None:
        self.sees(order_id, "approvalRequired")
        body = {"approver": APPROVER, "approved": approved}
        self.shop.post("orderprocessing", f"/orders/{order_id}/approve", body, 202)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[System]:
    with running(make_stack(tmp_path_factory.mktemp("secrecy"), PORT_OFFSET, PATIENT, collector.address)) as system:
        yield system


@pytest.fixture(scope="module")
def patron(system: System) -> Patron:
    """A customer with ten orders of every kind, among ninety orders of other customers."""
    patron = Patron(system.shop)
    with ThreadPoolExecutor(9, "plain") as pool:
        patron.stocks(PLAIN_SKU, 700, 1000)
        others = [Patron(system.shop, PLAIN_CUSTOMERS[n % len(PLAIN_CUSTOMERS)]) for n in range(PLAIN)]
        plain = [pool.submit(lambda one=one: one.delivers(one.orders({PLAIN_SKU: 1}))) for one in others]
        place_orders_of_every_kind(system, patron)
        assert all(order.result()["status"] == "completed" for order in plain)
    cause_failed_calls(system, patron)
    patron.sees(patron.orders({HIGH_VALUE_SKU: 2}), "approvalRequired")
    send_rejected_requests(system.shop)
    assert len(patron.placed) == WAYS
    return patron


def place_orders_of_every_kind(system: System, patron: Patron) -> None:
    """Place orders that are delivered, approved, rejected, amended, and cancelled early and late."""
    patron.stocks(SKU, 1_000, 100)
    patron.stocks(HIGH_VALUE_SKU, 200_000, 10)
    assert system.shop.call("inventory", "PUT", f"/inventory/{quote(MISSING_SKU)}", {"unitPrice": 5}).ok
    for _ in range(3):
        patron.delivers(patron.orders({SKU: 2}))
    for approved in (True, False):
        patron.decides(patron.orders({HIGH_VALUE_SKU: 1}), approved)
    for action in ("amend", "cancel"):
        order_id = patron.orders({SKU: 1, MISSING_SKU: 1})
        patron.sees(order_id, "customerActionRequired")
        system.shop.act(order_id, action)
    in_trouble = patron.orders({SKU: 1})
    patron.sees_shipments(in_trouble, "booked")
    system.shop.act(in_trouble, "cancel")
    patron.sees(in_trouble, "cancelled")


def cause_failed_calls(system: System, patron: Patron) -> None:
    """Process an order while services are down, so that services and sidecars log failures."""
    with system.stack.without("fraud", "billing"):
        order_id = patron.orders({SKU: 1})
        eventually(lambda: f"could not charge order {order_id}" in worker_logs(system.stack))
    patron.delivers(order_id)


def send_rejected_requests(shop: Shop) -> None:
    """Send requests that are rejected, and requests with names in the path."""
    body = {"customerId": CUSTOMER, "items": [{"sku": f"{SKU} of gold", "quantity": 1}]}
    assert shop.call("orderprocessing", "POST", "/orders", body).status_code == 422
    assert shop.call("fraud", "GET", f"/tally/{quote(CUSTOMER)}").json()["tally"] > 0
    assert len(shop.get("orderprocessing", "/orders", customerId=CUSTOMER)) == WAYS
    web = shop.call("web", "GET", f"/customer/?customer={quote(CUSTOMER)}")
    assert web.status_code < 500


def test_stored_data_contains_no_customer_item_or_approver(system: System, patron: Patron) -> None:
    assert len(system.shop.get("orderprocessing", "/orders", limit=1000)) == WAYS + PLAIN
    dump_uncompressed(system.stack)
    found = where_found(system.stack, SECRETS)
    assert not any(found.values()), found
    # The search finds other data. test_secrecy_begins.py shows that it finds these texts without encryption.
    order_id = patron.placed[0]
    assert {"redis", "scheduler"} <= {
        path.partition("/")[0] for path in where_found(system.stack, [order_id])[order_id]
    }


def test_broker_has_encrypted_events_only(system: System, patron: Patron) -> None:
    with Redis(system.stack.ports.redis, BROKER) as redis:
        events = [
            dict(zip(fields[::2], fields[1::2], strict=True)) for _, fields in redis("XRANGE", "order-events", "-", "+")
        ]
    data = [json.loads(event[b"data"])["data"] for event in events]
    assert len(data) > 50
    assert all(list(one) == ["sealed"] for one in data)
    messages = " ".join(event["actor"] for order_id in patron.placed for event in system.shop.feed(order_id))
    assert APPROVER in messages


def test_history_is_decrypted_for_the_api(system: System, patron: Patron) -> None:
    order_id = patron.placed[0]
    history = system.shop.get("orderprocessing", f"/orders/{order_id}/history")
    inputs = [event["input"] for one in history for event in one["events"] if event["input"] is not None]
    assert inputs
    assert all(given["orderId"] == order_id for given in inputs)
    results = [event["result"] for one in history for event in one["events"] if event["type"] == "taskCompleted"]
    assert results
    assert all(isinstance(result, dict) for result in results)


def oms(system: System, *words: str) -> str:
    """Run the command `oms` and return its output."""
    env = {"OMS_URL": system.shop.address_of("orderprocessing"), "ENCRYPTION_KEYS_FILE": str(system.stack.keys_file)}
    done = subprocess.run([VENV / "bin" / "oms", *words], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_command_line_shows_an_order_and_its_history(system: System, patron: Patron) -> None:
    order_id = patron.placed[0]
    shown = oms(system, "order", order_id)
    assert CUSTOMER in shown
    assert f"2 x {SKU}" in shown
    history = oms(system, "history", order_id)
    assert f'"orderId": "{order_id}"' in history
    assert "sealed" not in history
    instances = [one["instanceId"] for one in json.loads(oms(system, "history", order_id, "--json"))]
    assert instances == [
        f"{kind}-{order_id}{end}" for kind, end in (("order", ""), ("charge", "-1"), ("shipment", "-1"))
    ]


def test_new_key_is_used_without_a_restart_and_the_old_key_still_decrypts(system: System, patron: Patron) -> None:
    new = oms(system, "keys", "rotate").split()[0]

    def uses_it() -> bool:
        order_id = patron.orders({SKU: 1})
        patron.delivers(order_id)
        with Redis(system.stack.ports.redis, RECORDS) as redis:
            record = redis.encrypted_record("orderprocessing", f"order/{order_id}")
        return new.encode() in record[:64]

    assert eventually(uses_it)
    assert system.shop.order(patron.placed[0])["customerId"] == CUSTOMER
    patron.decides(patron.placed[9], True)
    patron.delivers(patron.placed[9])


def test_error_names_a_corrupt_record(system: System, patron: Patron) -> None:
    order_id = patron.placed[1]
    with Redis(system.stack.ports.redis, RECORDS) as redis:
        redis.spoil(f"orderprocessing||order/{order_id}".encode(), at=9)
    answer = system.shop.call("orderprocessing", "GET", f"/orders/{order_id}")
    assert (answer.status_code, answer.json()["code"]) == (503, "unreadable")
    assert f"order/{order_id} was changed" in system.stack.log_of("orderprocessing").read_text()


def test_corrupt_history_fails_its_instance_and_the_order_continues(system: System, patron: Patron) -> None:
    order_id = patron.orders({HIGH_VALUE_SKU: 1})
    patron.sees(order_id, "approvalRequired")
    # The sidecar and the workers cache histories, so all restart.
    with system.stack.without("orderprocessing sidecar", *system.stack.workers):
        corrupt_history(system.stack, f"order-{order_id}")
    eventually(lambda: system.shop.is_ready("orderprocessing"))
    patron.decides(order_id, True)
    patron.delivers(order_id)
    assert f"order-{order_id}: payload of the workflow engine was changed" in worker_logs(system.stack)


def corrupt_history(stack: Stack, instance: str) -> None:
    """Change a byte of the first encrypted payload in the history of an instance."""
    with Redis(stack.ports.redis, ENGINE) as redis:
        keys = sorted(key for key in redis("KEYS", f"*||{instance}||history-*"))
        for key in keys:
            value = redis("HGET", key, "data")
            if (start := value.find(b"sealed:")) >= 0:
                redis.spoil(key, at=len(value) - start - 100)
                return
    raise AssertionError(f"no encrypted payload in {keys}")


def refusal(shop: Shop, service: str, path: str) -> tuple[int, str | None]:
    """Return the status and problem code of a response."""
    try:
        answer = shop.call(service, "GET", path)
    except requests.ConnectionError:
        return 0, None
    return answer.status_code, answer.json().get("code")


def test_reads_fail_with_an_explanation_without_the_keys(system: System, patron: Patron) -> None:
    stack, order_id = system.stack, patron.placed[0]
    right = stack.keys_file.with_suffix(".kept")
    with stack.without("orderprocessing", "billing", *stack.workers):
        stack.keys_file.rename(right)
        key_file.ensure(stack.keys_file)
    try:
        for service, path in (("orderprocessing", f"/orders/{order_id}"), ("billing", f"/ledger?orderId={order_id}")):
            eventually(lambda service=service, path=path: refusal(system.shop, service, path) == (503, "unreadable"))
            assert not system.shop.is_ready(service)
            assert "is encrypted with the key" in stack.log_of(service).read_text()
    finally:
        with stack.without("orderprocessing", "billing", *stack.workers):
            right.replace(stack.keys_file)
    eventually(lambda: system.shop.is_ready("orderprocessing") and system.shop.is_ready("billing"))
    assert system.shop.order(order_id)["customerId"] == CUSTOMER
