from typing import Any

import pytest

from services.common.config import ServiceConfig
from services.shipping.app import create_app
from tests.fakes import FakeDocuments
from tests.unit.shipping.builders import Shipping, booking

ODD: list[Any] = [None, True, 1.5, -1, 10**4000, "", "\ud800", "\x00", "x" * 5000, [], {}, [[]], [None], [{}]]
ODD += ["A1\n", "A1:1\n", "A1:0", "A1:12345", "a||b", "../x", "é", "A1:1:1"]


@pytest.mark.parametrize("field", ["id", "orderId", "items"])
@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
def test_an_odd_value_in_any_field_is_named_and_changes_nothing(field: str, value: Any) -> None:
    shipping = Shipping()
    status, problem = shipping.book(**{field: value})
    assert status == 422
    assert {error["field"].split(".")[0] for error in problem["errors"]} == {field}
    assert shipping.documents.kept == {}


@pytest.mark.parametrize("field", ["sku", "quantity"])
@pytest.mark.parametrize("value", [None, True, 1.5, -1, 0, "", 10**4000, "\ud800", "\x00", [], {}])
def test_an_odd_value_in_a_line_is_named(field: str, value: Any) -> None:
    status, problem = Shipping().book(items=[{"sku": "milk", "quantity": 1, field: value}])
    assert (status, [error["field"] for error in problem["errors"]]) == (422, [f"items.0.{field}"])


def test_all_wrong_fields_are_named_at_once() -> None:
    status, problem = Shipping().post("/bookings", {"id": 1})
    assert status == 422
    assert {error["field"] for error in problem["errors"]} == {"id", "orderId", "items"}


def test_the_shipment_must_be_the_orders() -> None:
    status, problem = Shipping().book(orderId="B2")
    assert (status, problem["errors"][0]["field"]) == (422, "orderId")


@pytest.mark.parametrize("odd", ["A1", "A1:0", "%ff", "a||b:1", "x" * 5000, "A1:1%0A", "%00", "A1:1;x"])
def test_an_odd_id_in_the_path_is_refused_and_changes_nothing(odd: str) -> None:
    shipping = Shipping()
    assert shipping.client.get(f"/bookings/{odd}").status_code == 404
    assert shipping.client.post(f"/bookings/{odd}/cancel").status_code == 422
    assert shipping.documents.kept == {}


def test_an_unknown_booking_is_not_found() -> None:
    assert Shipping().client.get("/bookings/A1:1").status_code == 404


def test_a_body_that_is_not_json_is_rejected() -> None:
    client = Shipping().client
    assert client.post("/bookings", data="{", content_type="application/json").status_code == 400
    assert client.post("/bookings", data="{}", content_type="text/xml").status_code == 415


def test_the_switch_ignores_whatever_body_it_gets() -> None:
    client = Shipping().client
    for body in (b"", b"{", b"\xff"):
        assert client.post("/shipping/deactivate", data=body).status_code == 200


def test_the_simulated_courier_is_booked_where_none_is_given() -> None:
    client = create_app(ServiceConfig(app_port=3004), FakeDocuments()).test_client()
    answer = client.post("/bookings", json=booking()).get_json()
    assert answer["courierReference"].startswith("CR-")
    assert client.post("/bookings/A1:1/cancel").get_json() == answer | {"status": "cancelled"}
