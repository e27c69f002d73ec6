"""The rules, without HTTP and store."""

from services.inventory.domain import allocate
from services.inventory.models import Item, Line, Stock
from services.inventory.reserving import lines_to_reserve, plan, with_fulfillments
from tests.unit.inventory.conftest import A, B


def stock(a: int, b: int) -> dict[str, Stock]:
    return {B: Stock(on_hand=b), A: Stock(on_hand=a)}


def test_a_line_goes_whole_to_the_first_warehouse_by_name_that_has_enough() -> None:
    assert allocate(stock(5, 5), 5, ()) == {A: 5}
    assert allocate(stock(4, 5), 5, ()) == {B: 5}


def test_a_warehouse_that_the_order_uses_comes_first() -> None:
    assert allocate(stock(5, 5), 5, {B}) == {B: 5}
    assert allocate(stock(5, 4), 5, {B}) == {A: 5}


def test_a_line_that_fits_nowhere_whole_is_split() -> None:
    assert allocate(stock(3, 3), 5, ()) == {A: 3, B: 2}
    assert allocate(stock(3, 3), 5, {B}) == {B: 3, A: 2}


def test_unavailable_goods_are_not_allocated() -> None:
    assert allocate(stock(1, 2), 5, ()) == {A: 1, B: 2}
    assert allocate(stock(0, 0), 5, ()) == {}
    assert allocate({}, 5, ()) == {}


def test_reserved_stock_is_not_available() -> None:
    assert allocate({A: Stock(on_hand=5, reserved=3)}, 3, ()) == {A: 2}


def test_lines_with_the_fewest_locations_are_reserved_first() -> None:
    items = [
        Item(sku=sku, name=sku, brand=sku, unit_price=1, stock=held)
        for sku, held in [("both", stock(9, 9)), ("only B", stock(0, 9))]
    ]
    lines = [Line(sku="both", quantity=1), Line(sku="only B", quantity=1), Line(sku="unknown", quantity=1)]
    reservation = plan("A1", lines, {"both", "only B"})
    assert reservation.known == ["both", "only B"]
    assert [line.sku for line in lines_to_reserve(reservation, items)] == ["only B", "both"]


def test_nothing_at_all_available_is_one_fulfillment_without_location() -> None:
    done = with_fulfillments(plan("A1", [Line(sku="x", quantity=2), Line(sku="y", quantity=1)], set()), {})
    assert done.fulfillments is not None
    assert [(one.id, one.location, len(one.items)) for one in done.fulfillments] == [("A1:1", None, 2)]
