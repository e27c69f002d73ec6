"""The courier: picks up parcels and delivers them, one by one or several at once."""

from playwright.sync_api import Locator, expect

from tests.browser.visitor import Visitor
from tests.e2e.shopper import Shopper


def group(visitor: Visitor, title: str) -> Locator:
    """Return one of the page's lists."""
    return visitor.page.get_by_role("region", name=title)


def parcels(shopper: Shopper, count: int) -> list[str]:
    """Return booked shipments, each of its own order."""
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
        expect(group(visitor, "In transit").get_by_role("checkbox", name=shipment)).to_be_visible()
    expect(group(visitor, "To pick up").get_by_role("checkbox", name=third)).to_be_visible()
    visitor.presses(f"Deliver {first}")
    expect(visitor.page.get_by_role("checkbox", name=first)).to_have_count(0)
    assert visitor.was_not_reloaded()
    shopper.sees(first.partition(":")[0], "completed")
    assert shopper.shop.get("orderprocessing", f"/shipments/{second}")["status"] == "dispatched"


def test_selected_parcels_stay_selected_while_new_parcels_appear(visitor: Visitor, shopper: Shopper) -> None:
    [selected] = parcels(shopper, 1)
    visitor.is_role("Courier")
    visitor.is_live()
    box = group(visitor, "To pick up").get_by_role("checkbox", name=selected)
    box.check()
    [other] = parcels(shopper, 1)
    expect(group(visitor, "To pick up").get_by_role("checkbox", name=other)).to_be_visible()
    expect(box).to_be_checked()
    expect(group(visitor, "To pick up").get_by_role("checkbox", name=other)).not_to_be_checked()


def test_one_button_selects_and_deselects_all_parcels(visitor: Visitor, shopper: Shopper) -> None:
    parcels(shopper, 2)
    visitor.is_role("Courier")
    boxes = group(visitor, "To pick up").get_by_role("checkbox")
    count = boxes.count()
    for checked in (count, 0):
        visitor.presses("Select all to pick up")
        expect(group(visitor, "To pick up").locator(":checked")).to_have_count(checked)


def test_a_parcel_that_was_cancelled_meanwhile_is_named_and_the_others_are_dispatched(
    visitor: Visitor, shopper: Shopper
) -> None:
    visitor.expect_errors("ERR_FAILED")
    cancelled, other = parcels(shopper, 2)
    visitor.is_role("Courier")
    for shipment in (cancelled, other):
        group(visitor, "To pick up").get_by_role("checkbox", name=shipment).check()
    visitor.stops_updating()
    shopper.shop.act(cancelled.partition(":")[0], "cancel")
    shopper.sees(cancelled.partition(":")[0], "cancelled")
    visitor.presses("Dispatch selected")
    expect(visitor.messages()).to_contain_text(cancelled)
    assert shopper.shop.get("orderprocessing", f"/shipments/{other}")["status"] == "dispatched"


def test_an_empty_selection_is_an_error(visitor: Visitor, shopper: Shopper) -> None:
    visitor.expect_errors("status of 422")
    parcels(shopper, 1)
    visitor.is_role("Courier")
    visitor.presses("Dispatch selected")
    expect(visitor.page.get_by_role("alert")).to_contain_text("(422)")
