"""The catalogue and restocking."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from services.common.dapr.sidecar import TransientError
from services.inventory.app import seed_when_up
from services.inventory.seed import read_seed
from tests.unit.inventory.conftest import A, B, Inventory


def test_the_first_use_finds_the_catalogue_of_the_specification(inventory: Inventory) -> None:
    items = inventory.http.get("/inventory").get_json()
    by_sku = {item["sku"]: item for item in items}
    assert len(items) == 21
    assert [item["sku"] for item in items] == sorted(by_sku)
    assert (by_sku["milk"]["unitPrice"], by_sku["bread"]["unitPrice"], by_sku["iPhone"]["unitPrice"]) == (
        400,
        600,
        128900,
    )
    assert by_sku["Vans Old Skool"] == {
        "sku": "Vans Old Skool",
        "name": "Old Skool",
        "brand": "Vans",
        "unitPrice": 6000,
        "currency": "USD",
        "warehouses": [
            {"location": A, "onHand": 9_000_000, "reserved": 0, "available": 9_000_000},
            {"location": B, "onHand": 0, "reserved": 0, "available": 0},
        ],
    }
    for item in items:
        held = sum(one["onHand"] for one in item["warehouses"])
        assert (held == 0) == item["sku"].startswith("Adidas")
        if item["brand"] not in {"Grocery", "Apple"}:
            assert 3500 <= item["unitPrice"] <= 12000


def test_the_catalogue_has_items_of_either_warehouse_of_both_and_of_none() -> None:
    groups = [set(item.stock) for item in read_seed().items]
    assert groups.count({A}) >= 2
    assert groups.count({B}) >= 2
    assert {A, B} in groups
    assert set() in groups


def test_a_crash_at_any_write_of_the_seed_is_repaired_by_the_next_start(inventory: Inventory) -> None:
    for writes in range(22):
        inventory.documents.kept.clear()
        inventory.documents.reset()
        inventory.documents.crash_at = writes
        assert inventory.restarted().http.get("/inventory").status_code == 503
        inventory.documents.reset()
        assert len(inventory.restarted().http.get("/inventory").get_json()) == 21


def test_a_later_start_changes_nothing(inventory: Inventory) -> None:
    inventory.reserve("A1", milk=5)
    inventory.http.put("/inventory/milk", json={"unitPrice": 1})
    again = inventory.restarted()
    assert again.stock("milk")[A] == (5_000_000, 5)
    assert again.http.get("/inventory/milk").get_json()["unitPrice"] == 1


def test_the_catalogue_is_seeded_as_soon_as_the_store_responds(inventory: Inventory) -> None:
    inventory.documents.crash_at = 0
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            inventory.documents.reset()

    seed_when_up(inventory.documents, pause)
    assert len(pauses) == 3
    assert "catalogue/skus" in inventory.documents.kept


def test_a_new_sku_has_no_stock_and_is_named_after_itself(inventory: Inventory) -> None:
    answer = inventory.http.put("/inventory/Acme Rocket Boots", json={"unitPrice": 9900})
    assert answer.status_code == 201
    item = answer.get_json()
    assert (item["name"], item["brand"], item["unitPrice"]) == ("Acme Rocket Boots", "Acme", 9900)
    assert inventory.stock("Acme Rocket Boots") == {A: (0, 0), B: (0, 0)}
    assert "Acme Rocket Boots" in [one["sku"] for one in inventory.http.get("/inventory").get_json()]


def test_a_sku_that_exists_is_repriced_and_keeps_the_rest(inventory: Inventory) -> None:
    inventory.http.put("/inventory/x", json={"unitPrice": 1, "name": "Ex", "brand": "Why"})
    inventory.stocked("x", a=3)
    answer = inventory.http.put("/inventory/x", json={"unitPrice": 250})
    assert answer.status_code == 200
    item = answer.get_json()
    assert (item["name"], item["brand"], item["unitPrice"]) == ("Ex", "Why", 250)
    assert inventory.stock("x")[A] == (3, 0)


def test_the_same_price_again_writes_nothing(inventory: Inventory) -> None:
    inventory.http.put("/inventory/x", json={"unitPrice": 1})
    writes = inventory.documents.writes
    inventory.http.put("/inventory/x", json={"unitPrice": 1})
    assert inventory.documents.writes == writes


def test_a_sku_whose_creation_crashed_is_listed_after_the_repeat(inventory: Inventory) -> None:
    inventory.http.get("/inventory")
    inventory.documents.fail_writes_of = lambda key: key.startswith("catalogue/")
    assert inventory.http.put("/inventory/x", json={"unitPrice": 1}).status_code == 503
    inventory.documents.fail_writes_of = lambda _key: False
    inventory.http.put("/inventory/x", json={"unitPrice": 1})
    assert "x" in [one["sku"] for one in inventory.http.get("/inventory").get_json()]


def test_a_sku_may_contain_characters_that_state_keys_may_not(inventory: Inventory) -> None:
    for sku in ("a||b", "50%", "50%25", "50%7C%7C", "Ünïcøde 鞋", "a:b", "..", "a'b\"c"):
        path = "/inventory/" + sku.replace("%", "%25")
        assert inventory.http.put(path, json={"unitPrice": 7}).status_code == 201, sku
        assert inventory.http.get(path).get_json()["sku"] == sku
    assert all("|" not in key for key in inventory.documents.kept)


def test_an_unknown_sku_is_a_404(inventory: Inventory) -> None:
    for sku in ("nothing", "%00", "%FF%FE", "x" * 5000, "%20", "a%2Fb", "%0D%0A"):
        assert inventory.http.get(f"/inventory/{sku}").status_code == 404
        answer = inventory.http.post(f"/inventory/{sku}/restock", json={"warehouse": A, "quantity": 1})
        assert answer.status_code == 404
        assert answer.content_type == "application/problem+json"


WRONG: list[Any] = [None, True, "1", "", -1, 0, 1.5, 10**30, [], {}, "\ud800"]


@pytest.mark.parametrize("value", WRONG)
def test_a_wrong_price_is_refused_and_changes_nothing(inventory: Inventory, value: Any) -> None:
    answer = inventory.http.put("/inventory/x", json={"unitPrice": value, "name": 5, "brand": "\u0007"})
    assert answer.status_code == 422
    assert {error["field"] for error in answer.get_json()["errors"]} == {"unitPrice", "name", "brand"}
    assert inventory.http.get("/inventory/x").status_code == 404


@pytest.mark.parametrize("sku", ["%00", "%20", "x" * 101])
def test_a_wrong_sku_cannot_be_created(inventory: Inventory, sku: str) -> None:
    answer = inventory.http.put(f"/inventory/{sku}", json={"unitPrice": 0})
    assert {error["field"] for error in answer.get_json()["errors"]} == {"unitPrice", "sku"}


@pytest.mark.parametrize("value", WRONG)
def test_a_wrong_restock_names_all_wrong_fields(inventory: Inventory, value: Any) -> None:
    answer = inventory.http.post("/inventory/milk/restock", json={"warehouse": value, "quantity": value})
    assert answer.status_code == 422
    assert {error["field"] for error in answer.get_json()["errors"]} == {"warehouse", "quantity"}
    assert inventory.stock("milk")[A] == (5_000_000, 0)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"NaN", b'{"quantity":NaN}', b"\xff", b"[" * 100_000, b"9" * 9999])
def test_a_body_that_is_not_a_json_object_is_a_400(inventory: Inventory, body: bytes) -> None:
    for method, path in [
        ("POST", "/inventory/milk/restock"),
        ("PUT", "/inventory/milk"),
        ("POST", "/reservations"),
    ]:
        answer = inventory.http.open(path, method=method, data=body, content_type="application/json")
        assert answer.status_code == 400, (path, answer.get_json())


def test_restocking_adds_and_each_call_counts(inventory: Inventory) -> None:
    inventory.stocked("x", a=2)
    inventory.stocked("x", a=3, b=1)
    assert inventory.stock("x") == {A: (5, 0), B: (1, 0)}


def test_restocking_with_a_key_counts_once(inventory: Inventory) -> None:
    inventory.stocked("x")
    for _ in range(3):
        answer = restock(inventory, "x", 5, "delivery 7/1")
        assert answer.status_code == 200
        assert answer.get_json()["warehouses"][0]["onHand"] == 5
    restock(inventory, "x", 1, "delivery 8")
    assert inventory.stock("x")[A] == (6, 0)


def test_a_restock_key_with_other_content_is_rejected(inventory: Inventory) -> None:
    inventory.stocked("x")
    inventory.stocked("y")
    restock(inventory, "x", 5, "k")
    assert restock(inventory, "x", 6, "k").get_json()["code"] == "idempotencyKeyReused"
    assert restock(inventory, "y", 5, "k").status_code == 422
    assert inventory.stock("x")[A] == (5, 0)
    assert inventory.stock("y")[A] == (0, 0)


@pytest.mark.parametrize("key", ["", " ", "x" * 101, "\xff\x80"])
def test_a_wrong_restock_key_is_named(inventory: Inventory, key: str) -> None:
    answer = restock(inventory, "milk", 0, key)
    assert {error["field"] for error in answer.get_json()["errors"]} == {"quantity", "Idempotency-Key"}


@pytest.mark.parametrize("fault", ["crash_at", "lose_response_at"])
def test_a_keyed_restock_survives_a_fault_at_any_write(inventory: Inventory, fault: str) -> None:
    inventory.stocked("x")
    for write in range(3):
        inventory.documents.reset()
        setattr(inventory.documents, fault, write)
        assert restock(inventory, "x", 1, f"k{write}").status_code == 503
        inventory.documents.reset()
        inventory = inventory.restarted()
        for _ in range(2):
            assert restock(inventory, "x", 1, f"k{write}").status_code == 200
        assert inventory.stock("x")[A] == (write + 1, 0)


def test_restocks_at_the_same_time_are_all_counted(inventory: Inventory) -> None:
    inventory.stocked("x")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: restock(inventory, "x", 1, f"k{n % 20}"), range(60)))
    assert inventory.stock("x")[A] == (20, 0)


def test_while_the_store_is_unreachable_the_response_is_503(inventory: Inventory) -> None:
    def away(keys: object) -> Any:
        raise TransientError("away")

    inventory.documents.load_many = away  # type: ignore[method-assign]
    assert inventory.http.get("/inventory").status_code == 503
    assert inventory.http.get("/healthz").status_code == 200


def restock(inventory: Inventory, sku: str, quantity: int, key: str) -> Any:
    body = {"warehouse": A, "quantity": quantity}
    return inventory.http.post(f"/inventory/{sku}/restock", json=body, headers={"Idempotency-Key": key})
