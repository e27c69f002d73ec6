from typing import Any

import pytest

from services.billing.app import BillingConfig, create_app
from services.common.config import ConfigurationError, read
from tests.fakes import FakeDocuments
from tests.unit.billing.builders import Billing, charge, invoice, line, refund

ODD: list[Any] = [
    None,
    True,
    1.5,
    -1,
    10**4000,
    "",
    " ",
    "\ud800",
    "\x00",
    "a\nb",
    "x" * 5000,
    [],
    {},
    [[]],
    [None],
]
ODD += ["A1\n", "A1:1\n", "A1:0", "A1:12345", "a||b", "../x", "é", "A1:1:1"]
BODIES = {"/invoices": invoice(), "/charges": charge(), "/refunds": refund()}
FIELDS = [(path, field) for path, body in BODIES.items() for field in body]


@pytest.mark.parametrize(("path", "field"), FIELDS)
@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
def test_an_invalid_value_in_any_field_is_rejected_and_changes_nothing(path: str, field: str, value: Any) -> None:
    billing = Billing().invoiced()
    status, problem = billing.post(path, BODIES[path] | {field: value})
    free_text = {"customerId": 409, "idempotencyKey": 200, "invoiceReference": 409, "chargeKey": 200}
    if status != 422:  # any printable text may be a name
        assert isinstance(value, str)
        assert value.isprintable()
        assert status == free_text[field]
        return
    assert [error["field"] for error in problem["errors"]] == [field] or field in ("fulfillmentId", "items")
    assert billing.documents.writes == 1


@pytest.mark.parametrize("field", ["sku", "quantity", "unitPrice"])
@pytest.mark.parametrize("value", [None, True, 1.5, -1, 10**4000, "\ud800", "\x00", [], {}])
def test_an_invalid_value_in_any_line_is_named(field: str, value: Any) -> None:
    status, problem = Billing().post("/invoices", invoice(items=[line(), line() | {field: value}]))
    assert (status, [error["field"] for error in problem["errors"]]) == (422, [f"items.1.{field}"])


def test_all_wrong_fields_are_named_at_once() -> None:
    status, problem = Billing().post("/invoices", {"items": [], "orderId": 7})
    assert status == 422
    assert {error["field"] for error in problem["errors"]} == {
        "fulfillmentId",
        "orderId",
        "customerId",
        "items",
    }


@pytest.mark.parametrize("path", BODIES)
def test_the_fulfillment_must_belong_to_the_order(path: str) -> None:
    status, problem = Billing().post(path, BODIES[path] | {"orderId": "B2"})
    assert (status, [error["field"] for error in problem["errors"]]) == (422, ["orderId"])


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"amount": NaN}', "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"{", "text/plain", 400),
        (b"amount=1", "application/x-www-form-urlencoded", 415),
        (b" " * 300_000, "application/json", 413),
    ],
)
def test_a_body_that_is_not_a_json_object_is_rejected(path: str, data: bytes, kind: str, status: int) -> None:
    answer = Billing().client.post(path, data=data, content_type=kind)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")


@pytest.mark.parametrize("query", ["", "?orderId=", "?orderId=%ff", "?orderId=a%00b", "?orderId=a||b", "?other=1"])
def test_a_ledger_is_asked_for_by_an_order_id(query: str) -> None:
    answer = Billing().client.get(f"/ledger{query}")
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["field"] == "orderId"


def test_an_unknown_payment_provider_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match="PAYMENT_PROVIDER"):
        read(BillingConfig, {"PAYMENT_PROVIDER": "bank"}, app_port=3003)


def test_the_configured_provider_is_used_where_none_is_given() -> None:
    client = create_app(BillingConfig(app_port=3003), FakeDocuments()).test_client()
    client.post("/invoices", json=invoice())
    assert client.post("/charges", json=charge()).get_json()["chargeReference"].startswith("CH-")
    assert client.post("/refunds", json=refund()).get_json() == {"refunded": 5959}
    assert client.get("/readyz").status_code == 200
