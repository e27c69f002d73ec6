"""Example orders and the cart."""

from random import Random

import pytest

from services.common.web.problems import Problem
from services.web.views.shopping import example_orders, new_order_id, read_lines
from tests.unit.web.fakes import item

GOODS = [
    item("Vans Old Skool", 6000, 5_000_000),
    item("Puma Suede Classic", 6500, 5_000_000, "Puma"),
    item("iPhone", 128_900, 5_000_000, "Apple"),
    item("Adidas Classic", 6000, 0, "Adidas"),
]


@pytest.mark.parametrize("seed", range(20))
def test_there_are_twenty_examples_and_the_first_is_one_item_in_stock(seed: int) -> None:
    chosen = example_orders(GOODS, Random(seed))
    assert len(chosen) == 20
    assert list(chosen[0].lines.values()) == [1]
    assert not chosen[0].out_of_stock
    assert not chosen[0].needs_approval
    assert len({example.id for example in chosen}) == 20


def test_examples_say_whether_they_are_out_of_stock_or_need_approval() -> None:
    chosen = example_orders(GOODS, Random(1))
    assert (
        {example.out_of_stock for example in chosen} == {example.needs_approval for example in chosen} == {True, False}
    )
    for example in chosen:
        assert example.out_of_stock == ("Adidas Classic" in example.lines)
        prices = {known["sku"]: known["unitPrice"] for known in GOODS}
        assert example.total == sum(prices[sku] * quantity for sku, quantity in example.lines.items())
        assert example.needs_approval == (example.total - 6000 * example.lines.get("Adidas Classic", 0) >= 100_000)


def test_without_high_value_items_large_quantities_need_approval() -> None:
    assert any(example.needs_approval for example in example_orders(GOODS[:2], Random(1)))


def test_without_stock_there_are_no_examples() -> None:
    assert example_orders([item("Adidas Classic", 6000, 0, "Adidas")], Random(1)) == []


def test_quantities_are_read_from_the_form() -> None:
    form = {"order": "x", "quantity:Vans Old Skool": " 2 ", "quantity:milk": "0", "quantity:bread": ""}
    assert read_lines(form) == {"Vans Old Skool": 2}


def test_every_invalid_quantity_is_reported() -> None:
    with pytest.raises(Problem) as refused:
        read_lines({"quantity:milk": "-1", "quantity:bread": "1001", "quantity:a": "x", "quantity:b": "1"})
    assert [error["field"] for error in refused.value.errors] == ["quantity:milk", "quantity:bread", "quantity:a"]


def test_an_empty_cart_is_refused() -> None:
    with pytest.raises(Problem, match="at least one"):
        read_lines({"quantity:milk": "0"})


def test_order_ids_are_unique() -> None:
    assert len({new_order_id() for _ in range(1000)}) == 1000
