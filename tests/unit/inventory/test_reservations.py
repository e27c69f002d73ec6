"""Reserving, releasing and committing."""

from typing import Any

import pytest

from tests.unit.inventory.conftest import A, B, Inventory, parts


def test_an_order_is_split_by_warehouse_and_unavailable_goods_come_last(inventory: Inventory) -> None:
    inventory.stocked("onlyA", a=10)
    inventory.stocked("onlyB", b=10)
    inventory.stocked("few", a=1, b=2)
    answer = inventory.reserve("A1", onlyB=2, onlyA=1, few=5, unknown=1)
    assert answer.get_json() == {
        "orderId": "A1",
        "fulfillments": [
            {
                "id": "A1:1",
                "location": A,
                "items": [{"sku": "onlyA", "quantity": 1}, {"sku": "few", "quantity": 1}],
                "status": "reserved",
            },
            {
                "id": "A1:2",
                "location": B,
                "items": [{"sku": "onlyB", "quantity": 2}, {"sku": "few", "quantity": 2}],
                "status": "reserved",
            },
            {
                "id": "A1:3",
                "location": None,
                "items": [{"sku": "few", "quantity": 2}, {"sku": "unknown", "quantity": 1}],
                "status": "unavailable",
            },
        ],
    }
    assert inventory.stock("few") == {A: (1, 1), B: (2, 2)}
    item = inventory.http.get("/inventory/few").get_json()
    assert [one["available"] for one in item["warehouses"]] == [0, 0]


def test_the_demonstration_goods_split_in_two(inventory: Inventory) -> None:
    answer = inventory.reserve("A1", **{"Vans Old Skool": 1, "Puma Suede Classic": 1})
    assert [part[1] for part in parts(answer)] == [A, B]


def test_goods_that_both_warehouses_have_join_those_that_only_one_has(inventory: Inventory) -> None:
    answer = inventory.reserve("A1", **{"milk": 1, "Puma Suede Classic": 1, "bread": 1})
    assert [part[1] for part in parts(answer)] == [B]


def test_an_order_without_available_goods_is_accepted(inventory: Inventory) -> None:
    answer = inventory.reserve("A1", **{"Adidas Classic": 1, "no such thing": 3})
    assert parts(answer) == [("A1:1", None, {"Adidas Classic": 1, "no such thing": 3}, "unavailable")]


def test_lines_of_the_same_sku_add_up(inventory: Inventory) -> None:
    lines = [{"sku": "milk", "quantity": 1000}] * 2
    answer = inventory.http.post("/reservations", json={"orderId": "A1", "lines": lines})
    assert parts(answer) == [("A1:1", A, {"milk": 2000}, "reserved")]


def test_a_repeat_gets_the_same_response_and_reserves_nothing(inventory: Inventory) -> None:
    inventory.stocked("x", a=3)
    first = parts(inventory.reserve("A1", x=2, y=1))
    inventory.stocked("x", b=9)
    inventory.stocked("y", b=9)
    assert parts(inventory.reserve("A1", y=1, x=2)) == first
    assert parts(inventory.restarted().reserve("A1", x=2, y=1)) == first
    assert inventory.stock("x") == {A: (3, 2), B: (9, 0)}


def test_the_same_order_with_other_goods_is_a_conflict(inventory: Inventory) -> None:
    inventory.reserve("A1", milk=2)
    answer = inventory.reserve("A1", milk=3)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "reservationDiffers")
    assert inventory.stock("milk")[A] == (5_000_000, 2)


def test_a_release_returns_stock_and_a_commit_removes_it(inventory: Inventory) -> None:
    inventory.stocked("x", a=5, b=5)
    inventory.reserve("A1", x=7)
    assert inventory.stock("x") == {A: (5, 5), B: (5, 2)}
    for _ in range(2):
        answer = inventory.end("commit", "A1", "A1:1")
        assert [part[3] for part in parts(answer)] == ["committed", "reserved"]
        assert inventory.stock("x") == {A: (0, 0), B: (5, 2)}
    for _ in range(2):
        answer = inventory.end("release", "A1", "A1:2")
        assert [part[3] for part in parts(answer)] == ["committed", "released"]
        assert inventory.stock("x") == {A: (0, 0), B: (5, 0)}
    assert parts(inventory.http.get("/reservations/A1")) == parts(answer)


def test_without_ids_all_reserved_fulfillments_end(inventory: Inventory) -> None:
    inventory.stocked("x", a=5, b=5)
    inventory.reserve("A1", x=7, y=1)
    inventory.end("commit", "A1", "A1:1")
    assert [part[3] for part in parts(inventory.end("release", "A1"))] == [
        "committed",
        "released",
        "unavailable",
    ]
    assert inventory.stock("x") == {A: (0, 0), B: (5, 0)}
    inventory.reserve("A2", x=1)
    assert [part[3] for part in parts(inventory.end("commit", "A2"))] == ["committed"]
    assert inventory.stock("x") == {A: (0, 0), B: (4, 0)}


def test_committed_goods_cannot_be_released_nor_the_reverse(inventory: Inventory) -> None:
    inventory.stocked("x", a=5, b=5)
    inventory.reserve("A1", x=7, y=1)
    inventory.end("commit", "A1", "A1:1")
    answer = inventory.end("release", "A1", "A1:2", "A1:1")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "alreadyCommitted")
    assert inventory.stock("x") == {A: (0, 0), B: (5, 2)}
    inventory.end("release", "A1", "A1:2")
    assert inventory.end("commit", "A1", "A1:2").get_json()["code"] == "alreadyReleased"
    assert inventory.end("commit", "A1", "A1:3").get_json()["code"] == "notReserved"
    assert inventory.stock("x") == {A: (0, 0), B: (5, 0)}


def test_committing_an_order_that_was_released_is_a_conflict(inventory: Inventory) -> None:
    inventory.reserve("A1", milk=1)
    inventory.end("release", "A1")
    assert inventory.end("commit", "A1").get_json()["code"] == "alreadyReleased"
    assert inventory.stock("milk")[A] == (5_000_000, 0)


def test_a_release_before_the_reservation_blocks_it(inventory: Inventory) -> None:
    for _ in range(2):
        answer = inventory.end("release", "A1", "A1:1")
        assert answer.get_json() == {"orderId": "A1", "fulfillments": []}
    assert inventory.end("commit", "A1").status_code == 409
    for _ in range(2):
        assert parts(inventory.reserve("A1", milk=1)) == [("A1:1", None, {"milk": 1}, "unavailable")]
    assert inventory.stock("milk")[A] == (5_000_000, 0)


def test_unknown_orders_and_fulfillments(inventory: Inventory) -> None:
    assert inventory.http.get("/reservations/A1").status_code == 404
    assert inventory.end("commit", "A1").status_code == 404
    assert inventory.http.get("/reservations/" + "x" * 5000).status_code == 404
    assert inventory.http.get("/reservations/%00||").status_code == 404
    assert inventory.end("release", "a:b").status_code == 422
    inventory.reserve("A1", milk=1)
    answer = inventory.end("release", "A1", "A1:1", "A1:2", "B1:1")
    assert answer.status_code == 422
    assert len(answer.get_json()["errors"]) == 2
    assert inventory.stock("milk")[A] == (5_000_000, 1)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"orderId", "lines"}),
        ({"orderId": "\ud800", "lines": []}, {"orderId", "lines"}),
        ({"orderId": "a/b", "lines": None}, {"orderId", "lines"}),
        ({"orderId": "A" * 41, "lines": [{"sku": "x", "quantity": 1}] * 101}, {"orderId", "lines"}),
        ({"orderId": 1, "lines": [{"sku": "\ud800", "quantity": 0}, 5]}, {
            "orderId", "lines.0.sku", "lines.0.quantity", "lines.1"}),
        ({"orderId": "A1", "lines": [{"sku": None, "quantity": 10**40}]}, {
            "lines.0.sku", "lines.0.quantity"}),
        ({"orderId": "A1\n", "lines": [{"sku": "\x00", "quantity": True}]}, {
            "orderId", "lines.0.sku", "lines.0.quantity"}),
    ],
)  # fmt: skip
def test_a_wrong_reservation_names_all_wrong_fields(inventory: Inventory, body: Any, fields: set[str]) -> None:
    answer = inventory.http.post("/reservations", json=body)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.get_json()["errors"]} == fields
    assert not [key for key in inventory.documents.kept if key.startswith("reservation/")]


@pytest.mark.parametrize("value", [1, "A1:1", [1], ["\ud800"], ["A1"], [None], {}, ["A1:1"] * 201])
def test_a_wrong_list_of_fulfillments_is_refused(inventory: Inventory, value: Any) -> None:
    inventory.reserve("A1", milk=1)
    for how in ("release", "commit"):
        answer = inventory.http.post(f"/reservations/A1/{how}", json={"fulfillments": value})
        assert answer.status_code == 422
    assert inventory.stock("milk")[A] == (5_000_000, 1)


def test_a_null_list_of_fulfillments_means_all(inventory: Inventory) -> None:
    inventory.reserve("A1", milk=1)
    answer = inventory.http.post("/reservations/A1/release", json={"fulfillments": None})
    assert [part[3] for part in parts(answer)] == ["released"]


def test_documents_stay_small_however_many_orders_there_are(inventory: Inventory) -> None:
    inventory.stocked("x", a=1000)
    sizes = []
    for number in range(60):
        inventory.reserve(f"A{number}", x=1)
        inventory.end("commit" if number % 2 else "release", f"A{number}")
        sizes.append(len(inventory.documents.kept["item/x"][0]))
    assert max(sizes[2:]) < 600
    assert inventory.stock("x")[A] == (970, 0)
