"""A customer's key gives access to that customer's orders only; an approval has the name of the approver's key."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from services.common.auth.api_keys import add_key
from services.common.identity import Role
from tests.unit.access.system import bearer, make_apps, through_sidecar

LINES = [{"sku": "milk", "quantity": 1}]


class Counter:
    """The order API, with one customer's order in it, and everybody's keys."""

    def __init__(self, path: Path) -> None:
        names = {"ann": Role.CUSTOMER, "bob": Role.CUSTOMER, "Chris": Role.APPROVER, "Olga": Role.OPERATOR}
        self.keys = {name: add_key(path, name, role)[0] for name, role in names.items()}
        self.client: FlaskClient = make_apps(path)["orderprocessing"].test_client()
        assert self.order("ann", "A1").status_code == 202

    def order(self, who: str, order_id: str, customer: str | None = None) -> Any:
        return self.post(who, "/orders", {"id": order_id, "customerId": customer or who, "items": LINES})

    def get(self, who: str, path: str) -> Any:
        return self.client.get(path, headers=bearer(self.keys[who]))

    def post(self, who: str, path: str, body: Any) -> Any:
        return self.client.post(path, json=body, headers=bearer(self.keys[who]))


@pytest.fixture
def counter(tmp_path: Path) -> Counter:
    return Counter(tmp_path / "keys.json")


def test_a_customer_cannot_order_for_another(counter: Counter) -> None:
    refused = counter.order("bob", "B1", customer="ann")
    assert (refused.status_code, refused.get_json()["code"]) == (403, "notYours")
    assert counter.get("Olga", "/orders/B1").status_code == 404
    assert counter.order("Olga", "B1", customer="ann").status_code == 202


@pytest.mark.parametrize("path", ["/orders/A1", "/orders/A1/timeline"])
def test_the_order_of_another_customer_is_a_404(counter: Counter, path: str) -> None:
    assert counter.get("ann", path).status_code == counter.get("Chris", path).status_code == 200
    hidden, missing = counter.get("bob", path), counter.get("bob", path.replace("A1", "A2"))
    assert hidden.status_code == missing.status_code == 404
    assert hidden.get_json() == {**missing.get_json(), "detail": "there is no order 'A1'"}


def test_a_customer_cannot_act_on_the_order_of_another(counter: Counter) -> None:
    assert counter.post("bob", "/orders/A1/action", {"action": "cancel"}).status_code == 404
    assert counter.get("ann", "/orders/A1").get_json()["status"] == "pending"
    assert counter.post("ann", "/orders/A1/action", {"action": "cancel"}).status_code == 202


def test_a_customer_lists_only_own_orders_with_any_filter(counter: Counter) -> None:
    counter.order("bob", "B1")
    for path in ("/orders", "/orders?customerId=ann", "/orders?ids=A1,B1", "/orders?status=pending"):
        assert [line["id"] for line in counter.get("ann", path).get_json()] == ["A1"], path
    assert counter.get("bob", "/orders?customerId=ann").get_json() == []
    assert counter.get("bob", "/orders?ids=A1").get_json() == []
    for who in ("Chris", "Olga"):
        assert {line["id"] for line in counter.get(who, "/orders").get_json()} == {"A1", "B1"}


def test_the_approver_is_the_person_whatever_the_request_says(counter: Counter) -> None:
    asked = {"approver": "somebody else", "approved": True}
    # There is nothing to approve; whose decision it was is checked on the running system.
    assert counter.post("Chris", "/orders/A1/approve", asked).status_code == 409
    assert counter.post("Chris", "/orders/A1/approve", {"approved": True}).status_code == 409
    assert counter.post("ann", "/orders/A1/approve", asked).status_code == 403


def test_the_console_calls_in_the_name_of_a_person(counter: Counter) -> None:
    for name, status in (("ann", 200), ("bob", 404)):
        headers = through_sidecar("web", role="customer", person=name)
        assert counter.client.get("/orders/A1", headers=headers).status_code == status
    assert counter.client.get("/orders/A1", headers=through_sidecar("web")).status_code == 200
