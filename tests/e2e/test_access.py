"""Access control with API keys: every role reaches its endpoints only, and no call bypasses sidecars or keys."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from launcher.paths import ROOT
from launcher.system.stack import Stack
from launcher.system.template import read_template
from services.common.auth.api_keys import add_key, read_keys, remove_key
from services.common.identity import Role
from tests.e2e.access_table import Row, rows
from tests.e2e.client import Shop
from tests.e2e.collector import Collector
from tests.e2e.http_file import Sender
from tests.e2e.launch import SHORT, log_files, make_stack, running
from tests.e2e.polling import eventually
from tests.e2e.readme import Shell
from tests.e2e.test_demo_requests import CHAOS, FILE, KEYS, of_sections
from tests.e2e.test_overload import Flood

PORT_OFFSET = 11000
DEAR = [{"sku": "iPhone", "quantity": 1}]
CHEAP = [{"sku": "milk", "quantity": 1}]

APPS = {app.app_id for app in read_template(ROOT / "dapr.yaml").apps}
REFUSED = {401, 403}
INTERNAL = [
    ("inventory", "/reservations"),
    ("inventory", "/reservations/A1/release"),
    ("inventory", "/reservations/A1/commit"),
    ("billing", "/invoices"),
    ("billing", "/charges"),
    ("billing", "/refunds"),
    ("fraud", "/check/charge-A1-1/reverse"),
    ("shipping", "/bookings"),
    ("shipping", "/bookings/A1:1/cancel"),
    ("notifications", "/internal/events"),
    ("notifications", "/internal/dead-events"),
]


@dataclass(frozen=True)
class SecuredSystem:
    """A running system, with a client for each role and one without a key."""

    stack: Stack
    path: Path
    keys: dict[str, str]

    def as_role(self, name: str | None) -> Shop:
        key = self.keys[name] if name else None
        return Shop(self.stack.address, self.stack.sidecar_address, self.stack.tokens, key)

    def invoke(self, via: str, service: str, path: str, method: str = "POST", **headers: str) -> int:
        """Call a service as an app, through the app's own sidecar."""
        url = f"{self.stack.sidecar_address(via)}/v1.0/invoke/{service}/method{path}"
        shown = {"dapr-api-token": self.stack.tokens(via).sidecar, **headers}
        body = {} if method != "GET" else None
        return requests.request(method, url, json=body, headers=shown, timeout=20).status_code


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[SecuredSystem]:
    folder = tmp_path_factory.mktemp("guarded")
    path = folder / "api-keys.json"
    keys = {role.value: add_key(path, f"some-{role}", role)[0] for role in Role}
    keys |= {"ann": add_key(path, "ann", Role.CUSTOMER)[0], "Chris": add_key(path, "Chris", Role.APPROVER)[0]}
    stack = make_stack(
        folder,
        PORT_OFFSET,
        SHORT | {"API_KEYS_FILE": str(path), "CHAOS_ENABLED": "true", "STREAM_LIFETIME": "0.2", "RATE_LIMIT": "200"},
        collector.address,
    )
    with running(stack):
        yield SecuredSystem(stack, path, keys)


def place(secured: SecuredSystem, who: str, items: list[dict[str, Any]]) -> str:
    customer = "ann" if who == "ann" else f"some-{who}"
    return str(secured.as_role(who).place({"customerId": customer, "items": items})["id"])


def wait_for_status(secured: SecuredSystem, who: str, order_id: str, status: str) -> None:
    eventually(lambda: secured.as_role(who).order(order_id)["status"] == status)


def test_each_role_handles_its_part_of_an_order_with_its_own_key(secured: SecuredSystem) -> None:
    order_id = place(secured, "ann", DEAR)
    wait_for_status(secured, "ann", order_id, "approvalRequired")
    decision = {"approver": "somebody else", "approved": True}
    secured.as_role("Chris").post("orderprocessing", f"/orders/{order_id}/approve", decision, 202)
    courier = secured.as_role("courier")
    shipment = f"{order_id}:1"
    eventually(lambda: shipment in [one["id"] for one in courier.get("orderprocessing", "/shipments/pending")])
    eventually(lambda: courier.get("orderprocessing", f"/shipments/{shipment}")["status"] == "booked")
    courier.report(shipment, "dispatched")
    courier.report(shipment, "delivered")
    wait_for_status(secured, "ann", order_id, "completed")
    approved = [step for step in secured.as_role("ann").timeline(order_id) if step["type"] == "order.approved"]
    assert [step["actor"] for step in approved] == ["Chris"]
    events = secured.as_role("operator").feed(order_id)
    assert "somebody else" not in str(events)
    assert secured.as_role("manager").get("billing", "/ledger", orderId=order_id)["charged"] > 0


def test_order_is_visible_to_its_customer_only(secured: SecuredSystem) -> None:
    order_id = place(secured, "ann", CHEAP)
    other = secured.as_role("customer")
    for method, path in (("GET", ""), ("GET", "/timeline"), ("POST", "/action")):
        body = {"action": "cancel"} if method == "POST" else None
        assert other.call("orderprocessing", method, f"/orders/{order_id}{path}", body).status_code == 404
    assert order_id not in [line["id"] for line in other.get("orderprocessing", "/orders", limit=1000)]
    assert other.get("orderprocessing", "/orders", ids=order_id) == []
    assert order_id in [line["id"] for line in secured.as_role("ann").get("orderprocessing", "/orders")]
    secured.as_role("ann").act(order_id, "cancel")
    wait_for_status(secured, "ann", order_id, "cancelled")


def answered(row: Row, answer: requests.Response) -> int:
    """Return the status of a response, which may be a stream. Any rejection must be due to access control."""
    with answer:
        assert answer.status_code < 500 or row.path.startswith("/readyz"), (row, answer.status_code)
        return answer.status_code


@pytest.mark.parametrize("row", rows(), ids=str)
def test_access_follows_the_table_of_the_docs(secured: SecuredSystem, row: Row) -> None:
    refused = 403 if row.roles else 401
    for role in Role:
        status = answered(row, secured.as_role(role).call(row.service, row.method, row.path, stream=True))
        assert (status not in REFUSED) if role in row.roles else (status == refused), (role, status)
    anonymous = secured.as_role(None).call(row.service, row.method, row.path, stream=True)
    assert (answered(row, anonymous) == 401) != row.for_everybody
    if not row.for_everybody:
        assert anonymous.headers["Content-Type"] == "application/problem+json"
        assert anonymous.headers["WWW-Authenticate"].startswith("Bearer" if row.roles else "DaprApiToken")
    # A service that calls itself through its own sidecar is that sidecar.
    for app in sorted(APPS - {row.service}):
        status = secured.invoke(app, row.service, row.path, row.method)
        assert (status not in REFUSED) if row.for_everybody or app in row.apps else (status == 403), (app, status)
    reset(secured)


def reset(secured: SecuredSystem) -> None:
    """Reset the switches that the requests of the table turn on."""
    operator = secured.as_role("operator")
    operator.post("fraud", "/reset", {})
    operator.post("shipping", "/shipping/activate", {})


@pytest.mark.parametrize(("service", "path"), INTERNAL)
def test_internal_endpoint_is_accessible_to_its_caller_only(secured: SecuredSystem, service: str, path: str) -> None:
    for who in (None, "operator"):
        assert secured.as_role(who).call(service, "POST", path, {}).status_code == 401
    posed = {"dapr-caller-app-id": "orderprocessing", "oms-role": "operator", "oms-person": "Eve"}
    assert secured.as_role(None).call(service, "POST", path, {}, headers=posed).status_code == 401
    assert secured.invoke("web", service, path) == 403
    assert secured.invoke("web", service, path, **posed) == 403
    if not path.startswith("/internal/"):
        assert secured.invoke("orderprocessing", service, path) not in {401, 403}


def test_only_the_console_acts_on_behalf_of_a_person(secured: SecuredSystem) -> None:
    path, operator = "/shipping/activate", {"oms-role": "operator", "oms-person": "Eve"}
    assert secured.invoke("web", "shipping", path, **operator) == 200
    assert secured.invoke("web", "shipping", path, **operator | {"oms-role": "courier"}) == 403
    assert secured.invoke("web", "shipping", path) == 403
    for app in ("billing", "orderprocessing"):
        assert secured.invoke(app, "shipping", path, **operator) == 403


def test_sidecar_serves_its_own_app_only(secured: SecuredSystem) -> None:
    for name in ("web", "orderprocessing"):
        address = secured.stack.sidecar_address(name)
        others = secured.stack.tokens("billing").sidecar
        for headers in ({}, {"dapr-api-token": "x"}, {"dapr-api-token": others}):
            for path in ("/v1.0/metadata", "/v1.0/state/statestore/x", "/v1.0/invoke/billing/method/ledger"):
                assert requests.get(address + path, headers=headers, timeout=20).status_code == 401
        assert requests.get(f"{address}/v1.0/healthz", timeout=20).ok


@pytest.mark.parametrize("page", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}], ids=str)
def test_cross_site_request_through_a_sidecar_must_declare_json(secured: SecuredSystem, page: dict[str, str]) -> None:
    url = f"{secured.stack.sidecar_address('web')}/v1.0/invoke/fraud/method/limit"
    caller = {"dapr-api-token": secured.stack.tokens("web").sidecar, "oms-role": "manager", "oms-person": "Eve"}
    for content_type, status in (("text/plain;charset=UTF-8", 415), ("application/json", 200)):
        headers = caller | {"Content-Type": content_type}
        assert requests.post(url, data='{"limit": 0}', headers=headers, timeout=20).status_code == 200
        assert requests.post(url, data='{"limit": 0}', headers=headers | page, timeout=20).status_code == status


def test_removed_key_is_rejected(secured: SecuredSystem) -> None:
    key, kept = add_key(secured.path, "temporary", Role.OPERATOR)
    headers = {"Authorization": f"Bearer {key}"}
    assert secured.as_role(None).call("billing", "GET", "/ledger?orderId=A1", headers=headers).status_code == 200
    remove_key(secured.path, kept.id)
    assert kept not in read_keys(secured.path)
    assert secured.as_role(None).call("billing", "GET", "/ledger?orderId=A1", headers=headers).status_code == 401


def test_customer_logs_in_and_orders_in_the_console(secured: SecuredSystem) -> None:
    address, browser = secured.stack.address("web"), requests.Session()
    browser.trust_env = False
    assert browser.get(f"{address}/shop/", timeout=20).url == f"{address}/login"
    page = browser.post(f"{address}/login", data=form(browser, f"{address}/login", key=secured.keys["ann"]), timeout=20)
    assert (page.status_code, page.url) == (200, f"{address}/shop/")
    fields = form(browser, f"{address}/shop/", **{"order": "by-ann", "quantity:milk": "2"})
    page = browser.post(f"{address}/shop/orders", data=fields, timeout=20)
    assert page.url == f"{address}/shop/orders/by-ann"
    assert secured.as_role("ann").order("by-ann")["customerId"] == "ann"
    theirs = place(secured, "customer", CHEAP)
    assert browser.get(f"{address}/shop/orders/{theirs}", timeout=20).status_code == 404
    assert browser.get(f"{address}/operator/", timeout=20).status_code == 403


def test_operator_sees_all_pages_and_runs_the_load_generator(secured: SecuredSystem) -> None:
    address, browser = secured.stack.address("web"), requests.Session()
    browser.trust_env = False
    fields = form(browser, f"{address}/login", key=secured.keys["operator"])
    assert browser.post(f"{address}/login", data=fields, timeout=20).ok
    order_id = place(secured, "ann", CHEAP)
    for path in ("/shop/", "/approvals/", "/courier/", "/store/", f"/support/orders/{order_id}", "/operator/"):
        page = browser.get(address + path, timeout=20)
        assert page.status_code == 200, path
        assert "cannot be shown right now" not in page.text, path
    fields = form(browser, f"{address}/operator/", rate="5", duration="5", dispatchAfter="0", deliverAfter="0")
    answer = browser.post(f"{address}/operator/stream", data=fields, headers={"Accept": "application/json"}, timeout=20)
    assert answer.status_code == 200, answer.text
    eventually(lambda: "every order has ended" in browser.get(f"{address}/operator/?part=1", timeout=20).text, 60)


def test_flood_of_invalid_keys_is_rejected_without_blocking_valid_keys(secured: SecuredSystem) -> None:
    stranger, manager = secured.as_role(None), secured.as_role("manager")
    wrong = {"Authorization": "Bearer oms_wrong"}
    with Flood(lambda: stranger.call("fraud", "GET", "/settings", headers=wrong)) as flood:
        eventually(lambda: flood.statuses()[429] > 200)
        served = [manager.call("fraud", "GET", "/settings").status_code for _ in range(50)]
    assert set(flood.statuses()) == {401, 429}
    assert flood.refusals() == {("application/problem+json", "rate")}
    assert served == [200] * 50


@pytest.mark.parametrize("section", [CHAOS, KEYS], ids=FILE.sections.get)
def test_requests_of_demo_http_with_fault_injection_or_keys_match_their_titles(
    secured: SecuredSystem, section: int
) -> None:
    shell = Shell(secured.stack.state_dir, PORT_OFFSET, {})
    variables = {name: shell.moved(value) for name, value in FILE.variables.items()}
    key = secured.keys["operator"]
    # Fault injection needs a key only on a system with keys, such as this one.
    always = {"Authorization": f"Bearer {key}"} if section == CHAOS else {}
    sender = Sender(variables | {"key": key}, always)
    for one in of_sections(section):
        sender.send(one)
    if section == CHAOS:
        killed = secured.stack.pid("billing")
        eventually(lambda: secured.stack.pid("billing") not in {None, killed})
    eventually(lambda: secured.as_role("operator").is_ready("billing"))


def test_logs_contain_no_key_or_token(secured: SecuredSystem) -> None:
    secrets = [*secured.keys.values()]
    for app in secured.stack.apps():
        secrets += [secured.stack.tokens(app.name).app, secured.stack.tokens(app.name).sidecar]
    for log in log_files(secured.stack.state_dir):
        text = log.read_text(errors="replace")
        assert not [one for one in secrets if one in text], log


def form(browser: requests.Session, page: str, **fields: str) -> dict[str, str]:
    """Return the fields of a form with the CSRF token of its page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(page, timeout=20).text)
    assert found, page
    return fields | {"csrf_token": found[1]}
