"""The customer: places orders, follows the parcels, makes decisions, and sees errors."""

import re

from playwright.sync_api import expect

from tests.browser.outage import outage
from tests.browser.visitor import Visitor
from tests.e2e.groups import System
from tests.e2e.shopper import Shopper


def status_is(visitor: Visitor, status: str) -> None:
    """Wait until the page of an order shows this status."""
    expect(visitor.heading().locator(".badge")).to_have_text(status)


def test_an_example_order_is_followed_to_its_delivery_without_a_reload(visitor: Visitor, shopper: Shopper) -> None:
    visitor.is_customer(shopper.customer_id)
    visitor.presses("Order example 1")
    order_id = visitor.order_id()
    visitor.is_live()
    visitor.marks()
    status_is(visitor, "processing")
    steps = visitor.page.get_by_role("list", name="Progress of this parcel")
    for reported, reached in (("", "Courier booked"), ("dispatched", "Picked up"), ("delivered", "Delivered")):
        if reported:
            for shipment in shopper.sees_shipments(order_id, "booked" if reported == "dispatched" else "dispatched"):
                shopper.shop.report(shipment, reported)
        expect(steps.get_by_text(f"{reached}: done")).to_be_visible()
    status_is(visitor, "completed")
    expect(visitor.page.get_by_text("Thank you!")).to_be_visible()
    assert visitor.was_not_reloaded()


def test_a_question_about_missing_items_has_a_countdown_and_the_rest_is_sent(
    visitor: Visitor, shopper: Shopper
) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1, shopper.goods(): 1})
    visitor.goes_to(f"/shop/orders/{order_id}")
    status_is(visitor, "your answer is needed")
    visitor.marks()
    countdown = visitor.page.get_by_text(re.compile(r"^\d+ seconds left$"))
    before = int(countdown.inner_text().split()[0])
    expect(countdown).not_to_have_text(f"{before} seconds left")
    assert int(countdown.inner_text().split()[0]) < before
    visitor.presses("Send the rest")
    expect(visitor.messages()).to_contain_text("We will send you the rest.")
    status_is(visitor, "processing")
    expect(visitor.page.get_by_text("Out of stock.", exact=True)).to_be_visible()
    expect(visitor.page.get_by_role("button", name="Send the rest")).to_have_count(0)
    assert visitor.was_not_reloaded()
    shopper.delivers(order_id)
    status_is(visitor, "completed")


def test_a_cancelled_order_is_refunded(visitor: Visitor, shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    shopper.sees_shipments(order_id, "booked")
    visitor.goes_to(f"/shop/orders/{order_id}")
    visitor.cancels()
    status_is(visitor, "cancelled")
    expect(
        visitor.page.get_by_text("You cancelled the order. Anything that you paid is refunded.").first
    ).to_be_visible()
    expect(visitor.page.get_by_text("refunded", exact=True)).to_be_visible()


def test_a_cart_shows_its_total_and_is_ordered(visitor: Visitor, shopper: Shopper) -> None:
    visitor.is_customer(shopper.customer_id)
    visitor.page.get_by_text("Fill a cart").click()
    visitor.page.get_by_label("Vans Old Skool", exact=True).fill("2")
    visitor.page.get_by_label("Milk", exact=True).fill("3")
    cart = visitor.page.locator("form[data-cart]")
    expect(cart.get_by_role("status")).to_have_text("$132.00")
    cart.get_by_role("button", name="Order", exact=True).click()
    order = shopper.shop.order(visitor.order_id())
    assert order["customerId"] == shopper.customer_id
    assert {item["sku"]: item["quantity"] for item in order["items"]} == {"Vans Old Skool": 2, "milk": 3}
    visitor.is_role("Customer")
    expect(visitor.page.get_by_role("row", name=order["id"])).to_contain_text("$132.00")


def test_a_price_change_is_reported_and_shown_before_anything_is_ordered(visitor: Visitor, shopper: Shopper) -> None:
    visitor.expect_errors("status of 422")
    sku = shopper.goods(price=1000, a=2)
    visitor.is_customer(shopper.customer_id)
    visitor.marks()
    visitor.page.get_by_text("Fill a cart").click()
    visitor.page.get_by_label(sku, exact=True).fill("2")
    cart = visitor.page.locator("form[data-cart]")
    expect(cart.get_by_role("status")).to_have_text("$20.00")
    shopper.shop.call("inventory", "PUT", f"/inventory/{sku}", {"unitPrice": 1250})
    order = cart.get_by_role("button", name="Order", exact=True)
    order.click()
    expect(visitor.page.get_by_role("alert")).to_contain_text(f"{sku} now costs 12.50 USD instead of 10.00 USD")
    expect(cart.get_by_role("status")).to_have_text("$25.00")
    assert visitor.was_not_reloaded()
    order.click()
    assert shopper.shop.order(visitor.order_id())["goodsTotal"] == 2500


def test_the_catalogue_recovers_without_a_reload(visitor: Visitor, system: System) -> None:
    with outage(system, "inventory"):
        visitor.goes_to("/shop/")
        expect(visitor.page.get_by_text("The catalogue cannot be shown right now")).to_be_visible()
        visitor.marks()
    expect(visitor.page.get_by_role("button", name="Order example 1", exact=True)).to_be_visible()
    expect(visitor.page.get_by_text("cannot be shown")).to_have_count(0)
    assert visitor.was_not_reloaded()


def test_an_empty_cart_is_an_error(visitor: Visitor) -> None:
    visitor.expect_errors("status of 422")
    visitor.is_role("Customer")
    visitor.marks()
    visitor.page.get_by_text("Fill a cart").click()
    visitor.page.locator("form[data-cart]").get_by_role("button", name="Order", exact=True).click()
    expect(visitor.page.get_by_role("alert")).to_have_text("cart: choose at least one item (422)")
    assert visitor.was_not_reloaded()


def test_a_late_cancellation_is_refused_with_a_reason(visitor: Visitor, shopper: Shopper) -> None:
    visitor.expect_errors("status of 409|ERR_FAILED")
    order_id = shopper.orders({shopper.goods(a=1): 1})
    visitor.goes_to(f"/shop/orders/{order_id}")
    expect(visitor.page.get_by_text("Cancel the order", exact=True)).to_be_visible()
    visitor.stops_updating()
    shopper.delivers(order_id)
    visitor.cancels()
    expect(visitor.page.get_by_role("alert")).to_contain_text("(409)")


def test_an_unknown_order_is_an_error_page(visitor: Visitor) -> None:
    visitor.expect_errors("status of 404")
    answer = visitor.goes_to("/shop/orders/nothing-of-this-name")
    assert answer.status == 404
    expect(visitor.page.get_by_role("alert")).to_contain_text("nothing-of-this-name")
    visitor.page.get_by_role("link", name="Back").click()
    expect(visitor.heading()).to_have_text("Choose a role")


def test_every_customer_sees_their_own_orders(visitor: Visitor, shopper: Shopper) -> None:
    mine = shopper.orders({shopper.goods(a=1): 1})
    visitor.is_customer(shopper.customer_id)
    expect(visitor.page.get_by_role("link", name=mine)).to_be_visible()
    visitor.is_customer(f"not {shopper.customer_id}")
    expect(visitor.page.get_by_text("No orders yet.")).to_be_visible()
    expect(visitor.page.get_by_role("link", name=mine)).to_have_count(0)


def test_two_tabs_show_the_same(visitor: Visitor, shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    shopper.sees_shipments(order_id, "booked")
    other = visitor.another_tab()
    for page in (visitor.page, other):
        page.goto(f"/shop/orders/{order_id}")
        visitor.is_live(page)
        visitor.marks(page)
    visitor.cancels()
    for page in (visitor.page, other):
        expect(page.get_by_role("heading", level=1).locator(".badge")).to_have_text("cancelled")
        assert visitor.was_not_reloaded(page)


def test_the_list_of_orders_is_live(visitor: Visitor, shopper: Shopper) -> None:
    visitor.is_customer(shopper.customer_id)
    visitor.is_live()
    visitor.marks()
    order_id = shopper.orders({shopper.goods(a=1): 1})
    row = visitor.page.get_by_role("row", name=order_id)
    expect(row).to_contain_text("processing")
    shopper.delivers(order_id)
    expect(row).to_contain_text("completed")
    assert visitor.was_not_reloaded()
