"""The courier: picks parcels up and delivers them, one by one or several at once."""

from playwright.sync_api import Locator, expect

from tests.browser.visitor import Visitor
from tests.e2e.shopper import Shopper


def group(visitor: Visitor, title: str) -> Locator:
    """Return one of the page's lists."""
    return visitor.page.get_by_role("region", name=title)


def parcels(shopper: Shopper, count: int) -> list[str]:
    """Return shipments that wait for the courier, each of an order of its own."""
    orders = [shopper.orders({shopper.goods(a=1): 1}) for _ in range(count)]
    return [shipment for order_id in orders for shipment in shopper.sees_shipments(order_id, "booked")]


def test_several_parcels_are_picked_up_at_once_and_delivered_one_by_one(visitor: Visitor, shopper: Shopper) -> None:
    first, second, third = parcels(shopper, 3)
    visitor.is_role("Courier")
    visitor.is_live()
    visitor.marks()
    for shipment in (first, second):
        group(visitor, "To pick up").get_by_role("checkbox", name=shipment).check()
    visitor.presses("Dispatch selected")
    for shipment in (first, second):
        expect(group(visitor, "Under way").get_by_role("checkbox", name=shipment)).to_be_visible()
    expect(group(visitor, "To pick up").get_by_role("checkbox", name=third)).to_be_visible()
    visitor.presses(f"Deliver {first}")
    expect(visitor.page.get_by_role("checkbox", name=first)).to_have_count(0)
    assert visitor.was_not_reloaded()
    shopper.sees(first.partition(":")[0], "completed")
    assert shopper.shop.get("orderprocessing", f"/shipments/{second}")["status"] == "dispatched"


def test_what_is_ticked_stays_ticked_while_new_parcels_come(visitor: Visitor, shopper: Shopper) -> None:
    [ticked] = parcels(shopper, 1)
    visitor.is_role("Courier")
    visitor.is_live()
    box = group(visitor, "To pick up").get_by_role("checkbox", name=ticked)
    box.check()
    [other] = parcels(shopper, 1)
    expect(group(visitor, "To pick up").get_by_role("checkbox", name=other)).to_be_visible()
    expect(box).to_be_checked()
    expect(group(visitor, "To pick up").get_by_role("checkbox", name=other)).not_to_be_checked()


def test_everything_is_selected_and_let_go_with_one_button(visitor: Visitor, shopper: Shopper) -> None:
    parcels(shopper, 2)
    visitor.is_role("Courier")
    boxes = group(visitor, "To pick up").get_by_role("checkbox")
    count = boxes.count()
    for checked in (count, 0):
        visitor.presses("Select all to pick up")
        expect(group(visitor, "To pick up").locator(":checked")).to_have_count(checked)


def test_a_parcel_that_was_called_off_meanwhile_is_named_and_the_others_go(visitor: Visitor, shopper: Shopper) -> None:
    visitor.excuse("ERR_FAILED")
    gone, there = parcels(shopper, 2)
    visitor.is_role("Courier")
    for shipment in (gone, there):
        group(visitor, "To pick up").get_by_role("checkbox", name=shipment).check()
    visitor.stops_hearing()
    shopper.shop.act(gone.partition(":")[0], "cancel")
    shopper.sees(gone.partition(":")[0], "cancelled")
    visitor.presses("Dispatch selected")
    expect(visitor.says()).to_contain_text(gone)
    assert shopper.shop.get("orderprocessing", f"/shipments/{there}")["status"] == "dispatched"


def test_nothing_selected_is_told(visitor: Visitor, shopper: Shopper) -> None:
    visitor.excuse("status of 422")
    parcels(shopper, 1)
    visitor.is_role("Courier")
    visitor.presses("Dispatch selected")
    expect(visitor.page.get_by_role("alert")).to_contain_text("(422)")
