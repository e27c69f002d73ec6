"""Orders to choose from, and the cart."""

from random import Random

import pytest

from services.common.web.problems import Problem
from services.web.views.shopping import new_order_id, read_lines, samples
from tests.unit.web.fakes import item

GOODS = [
    item("Vans Old Skool", 6000, 5_000_000),
    item("Puma Suede Classic", 6500, 5_000_000, "Puma"),
    item("iPhone", 128_900, 5_000_000, "Apple"),
    item("Adidas Classic", 6000, 0, "Adidas"),
]


@pytest.mark.parametrize("seed", range(20))
def test_there_are_twenty_of_which_the_first_is_one_item_that_is_there(seed: int) -> None:
    chosen = samples(GOODS, Random(seed))
    assert len(chosen) == 20
    assert list(chosen[0].lines.values()) == [1]
    assert not chosen[0].missing
    assert not chosen[0].dear
    assert len({one.id for one in chosen}) == 20


def test_some_lack_goods_and_some_are_dear_and_each_says_so() -> None:
    chosen = samples(GOODS, Random(1))
    assert {one.missing for one in chosen} == {one.dear for one in chosen} == {True, False}
    for one in chosen:
        assert one.missing == ("Adidas Classic" in one.lines)
        prices = {known["sku"]: known["unitPrice"] for known in GOODS}
        assert one.total == sum(prices[sku] * quantity for sku, quantity in one.lines.items())
        assert one.dear == (one.total - 6000 * one.lines.get("Adidas Classic", 0) >= 100_000)


def test_without_dear_goods_many_of_the_same_are_dear() -> None:
    assert any(one.dear for one in samples(GOODS[:2], Random(1)))


def test_with_empty_shelves_there_is_nothing_to_choose() -> None:
    assert samples([item("Adidas Classic", 6000, 0, "Adidas")], Random(1)) == []


def test_a_form_is_read_into_lines() -> None:
    form = {"order": "x", "quantity:Vans Old Skool": " 2 ", "quantity:milk": "0", "quantity:bread": ""}
    assert read_lines(form) == {"Vans Old Skool": 2}


def test_every_wrong_quantity_is_named() -> None:
    with pytest.raises(Problem) as refused:
        read_lines({"quantity:milk": "-1", "quantity:bread": "1001", "quantity:a": "x", "quantity:b": "1"})
    assert [error["field"] for error in refused.value.errors] == ["quantity:milk", "quantity:bread", "quantity:a"]


def test_an_empty_cart_is_refused() -> None:
    with pytest.raises(Problem, match="at least one"):
        read_lines({"quantity:milk": "0"})


def test_no_two_orders_have_the_same_id() -> None:
    assert len({new_order_id() for _ in range(1000)}) == 1000
