"""POST /orders: both forms, every bad body, idempotency."""

import json
from typing import Any

import pytest

from tests.unit.orderprocessing.balance import check_over
from tests.unit.orderprocessing.world import AT_A, World

FULL = {"id": "A1-1763712000", "customerId": "1234", "items": [{"sku": AT_A, "quantity": 1}]}
SHORT = {"customer": "Riley", "items": ["milk", "bread", "iPhone"], "total": 1299.00}


def refused(world: World, body: Any, status: int = 422, **kwargs: Any) -> dict[str, Any]:
    """Send an order that must be refused and leave nothing behind; return the problem."""
    before = dict(world.documents.kept)
    answer = world.send("POST", "/orders", body, **kwargs)
    assert answer.status_code == status, answer.get_json()
    assert answer.content_type == "application/problem+json"
    assert world.documents.kept == before
    problem = dict(answer.get_json())
    assert problem["status"] == status
    return problem


def raw(world: World, data: bytes, status: int, content_type: str = "application/json") -> dict[str, Any]:
    answer = world.app.test_client().post("/orders", data=data, content_type=content_type)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert world.documents.kept == {}
    return dict(answer.get_json())


def with_item(**item: Any) -> dict[str, Any]:
    return FULL | {"items": [{"sku": AT_A, "quantity": 1} | item]}


def test_an_accepted_order_is_shown_and_located(world: World) -> None:
    answer = world.send("POST", "/orders", FULL)
    assert answer.status_code == 202
    assert answer.headers["Location"] == "http://localhost/orders/A1-1763712000"
    order = answer.get_json()
    shown = world.shown("A1-1763712000")
    assert {**order, "workflow": None} == {**shown, "workflow": None}
    assert order["items"] == [{"sku": AT_A, "quantity": 1}]
    assert (order["status"], order["goodsTotal"], order["currency"]) == ("pending", 6000, "USD")
    assert order["fulfillments"] is None
    assert order["actions"] == ["cancel"]


def test_the_short_form_means_the_same_and_repeated_goods_add_up(world: World) -> None:
    order = world.send("POST", "/orders", SHORT).get_json()
    assert (order["customerId"], order["goodsTotal"]) == ("Riley", 129900)
    twice = world.send("POST", "/orders", {"customer": "Riley", "items": ["milk", "bread", "milk"]}).get_json()
    assert twice["items"] == [{"sku": "milk", "quantity": 2}, {"sku": "bread", "quantity": 1}]


def test_an_order_without_an_id_gets_one_that_is_its_own(world: World) -> None:
    ids = {world.send("POST", "/orders", SHORT).get_json()["id"] for _ in range(20)}
    assert len(ids) == 20


def test_fields_that_are_not_known_are_ignored(world: World) -> None:
    body = with_item(description="a shoe", colour=None) | {"note": "\ud800", "status": "completed"}
    assert world.send("POST", "/orders", body).status_code == 202


@pytest.mark.parametrize("total", ["60", "60.0", "60.00", "6e1", "0.6E2", "null"])
def test_a_total_that_is_right_is_accepted_in_either_form(world: World, total: str) -> None:
    for name in ("customer", "customerId"):
        data = f'{{"{name}": "x", "items": ["{AT_A}"], "total": {total}}}'
        answer = world.app.test_client().post("/orders", data=data, content_type="application/json")
        assert answer.status_code == 202, answer.get_json()


@pytest.mark.parametrize(
    "total", ["59.99", "60.001", "-60", "0", "true", '"60"', "[]", "{}", "1e400", "1e-400", "1" * 30, "60.0000000001"]
)
def test_a_total_that_is_wrong_is_named(world: World, total: str) -> None:
    problem = raw(world, f'{{"customer": "x", "items": ["{AT_A}"], "total": {total}}}'.encode(), 422)
    assert [error["field"] for error in problem["errors"]] == ["total"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"total": NaN}',
        b'{"total": Infinity}',
        b'{"a": 1} {"b": 2}',
        b'{"customer": "\xff\xfe"}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"items": [' + b"[" * 5000 + b"]" * 5000 + b"]",
        b'{"quantity": ' + b"9" * 5000 + b"}",
        b'{"total": 1e99999999999999999999}',
        b"[]",
        b"null",
        b'"text"',
        b"1",
        b"true",
    ],
    ids=lambda data: repr(data[:20]),
)
def test_what_is_not_a_json_object_is_a_400(world: World, data: bytes) -> None:
    raw(world, data, 400)


def test_another_content_type_is_a_415(world: World) -> None:
    for content_type in ("application/xml", "application/x-www-form-urlencoded", "multipart/form-data", "text/html"):
        raw(world, json.dumps(FULL).encode(), 415, content_type)


def test_json_may_come_as_text_or_undeclared_and_as_any_type_of_json(world: World) -> None:
    declared = "application/vnd.shop+json; charset=utf-8"
    for content_type in ("text/plain;charset=UTF-8", "text/plain", "", declared):
        answer = world.app.test_client().post("/orders", data=json.dumps(FULL), content_type=content_type)
        assert (answer.status_code, answer.get_json()["id"]) == (202, FULL["id"])


def test_text_that_is_no_json_is_a_400(world: World) -> None:
    for content_type in ("text/plain", ""):
        raw(world, b"customerId=1234", 400, content_type)


def test_a_body_above_256_kib_is_a_413_and_one_of_just_that_is_not(world: World) -> None:
    padding = 256 * 1024 - len(json.dumps(FULL | {"note": ""}))
    raw(world, json.dumps(FULL | {"note": "x" * (padding + 1)}).encode(), 413)
    body = json.dumps(FULL | {"note": "x" * padding})
    assert world.app.test_client().post("/orders", data=body, content_type="application/json").status_code == 202


WRONG_NAMES: list[Any] = [None, "", " ", "\t", "\x00", "a\nb", "\ud800", "\u202e", "x" * 101, 1, 1.5, True, [], {}]
WRONG_IDS: list[Any] = ["", "-a", "_a", "a b", "a/b", "a:1", "a|b", "é", "a\n", "x" * 41, 1, True, [], {}]
WRONG_QUANTITIES: list[Any] = [None, 0, -1, 1001, 10**4000, 1.5, 1.0, True, "1", "", [], {}]
WRONG_ITEMS: list[Any] = [
    None,
    [],
    {},
    "milk",
    1,
    [None],
    [1],
    [[]],
    [{"sku": "milk", "quantity": 1}] * 101,
    [{}],
    [{"sku": "milk"}],
    [{"quantity": 1}],
]


@pytest.mark.parametrize("value", WRONG_NAMES, ids=repr)
def test_a_wrong_customer_is_named(world: World, value: Any) -> None:
    for name, body in (
        ("customerId", FULL | {"customerId": value}),
        ("customer", {"customer": value, "items": ["milk"]}),
    ):
        assert [one["field"] for one in refused(world, body)["errors"]] == [name]


@pytest.mark.parametrize("value", WRONG_NAMES, ids=repr)
def test_a_wrong_sku_is_named(world: World, value: Any) -> None:
    assert [one["field"] for one in refused(world, with_item(sku=value))["errors"]] == ["items.0.sku"]


@pytest.mark.parametrize("value", WRONG_IDS, ids=repr)
def test_a_wrong_id_is_named(world: World, value: Any) -> None:
    assert [one["field"] for one in refused(world, FULL | {"id": value})["errors"]] == ["id"]


@pytest.mark.parametrize("value", WRONG_QUANTITIES, ids=lambda value: repr(value)[:9])
def test_a_wrong_quantity_is_named(world: World, value: Any) -> None:
    if value == 10**4000:
        return  # the client's JSON library can write it, see the 400s
    assert [one["field"] for one in refused(world, with_item(quantity=value))["errors"]] == ["items.0.quantity"]


@pytest.mark.parametrize("value", WRONG_ITEMS, ids=lambda value: repr(value)[:20])
def test_wrong_items_are_named(world: World, value: Any) -> None:
    errors = refused(world, FULL | {"items": value})["errors"]
    assert all(one["field"].startswith("items") for one in errors)


def test_every_wrong_field_is_named_at_once(world: World) -> None:
    body = {"id": "-", "customerId": 7, "items": [{"sku": "", "quantity": 0}], "total": "x"}
    fields = {one["field"] for one in refused(world, body)["errors"]}
    assert fields == {"id", "customerId", "items.0.sku", "items.0.quantity", "total"}


def test_an_unknown_sku_is_named(world: World) -> None:
    problem = refused(world, {"customer": "Riley", "items": ["milk", "moon", "sun"]})
    assert "'moon'" in problem["detail"]
    assert "'sun'" in problem["detail"]


def test_quantities_of_one_sku_add_up_to_one_line(world: World) -> None:
    lines = [{"sku": "milk", "quantity": 1000}, "bread", {"sku": "milk", "quantity": 1}]
    order = world.send("POST", "/orders", FULL | {"items": lines}).get_json()
    assert order["items"] == [{"sku": "milk", "quantity": 1001}, {"sku": "bread", "quantity": 1}]


def test_the_largest_order_there_can_be_goes_all_the_way(world: World) -> None:
    world.send("POST", "/orders", FULL | {"id": "A1", "items": [{"sku": "milk", "quantity": 1000}] * 100})
    world.run()
    world.approve()
    assert world.finish().fulfillments[0].payment.sub_total == 40_000_000
    check_over(world)


def test_a_wrong_field_is_named_as_the_client_sent_it(world: World) -> None:
    body = FULL | {"items": ["milk", "milk", {"sku": "bread", "quantity": 0}, "\x00", ["milk"]]}
    fields = [one["field"] for one in refused(world, body)["errors"]]
    assert fields == ["items.2.quantity", "items.3", "items.4"]


def test_a_hundred_lines_are_one_order_and_repeated_strings_are_one_line(world: World) -> None:
    lines = [{"sku": "milk", "quantity": 1}] * 100
    answer = world.send("POST", "/orders", FULL | {"items": lines})
    assert answer.get_json()["items"] == [{"sku": "milk", "quantity": 100}]
    for count, status in ((1000, 202), (1001, 422)):
        assert world.send("POST", "/orders", {"customer": "x", "items": ["milk"] * count}).status_code == status
