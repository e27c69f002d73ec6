"""The store manager: items, prices and settings, and their effects on orders."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.outage import outage
from tests.browser.visitor import Visitor
from tests.e2e.client import Shop
from tests.e2e.groups import System
from tests.e2e.shopper import Shopper


@pytest.fixture
def switches(shop: Shop) -> Iterator[None]:
    """Reset limit, maintenance and bookings."""
    yield
    shop.post("fraud", "/reset", {})
    shop.post("shipping", "/shipping/activate", {})


def row(visitor: Visitor, sku: str) -> Locator:
    """Return the row of an item in the stock table."""
    return visitor.page.get_by_role("row").filter(has=visitor.page.get_by_role("rowheader", name=sku, exact=True))


def test_a_new_item_is_added_stocked_repriced_and_ordered(visitor: Visitor, shopper: Shopper) -> None:
    sku = f"{shopper.customer_id} boots"
    visitor.is_role("Store manager")
    add = visitor.part("New item")
    add.get_by_label("SKU").fill(sku)
    add.get_by_label("Price in USD").fill("59.9")
    visitor.presses("Add the item")
    expect(visitor.messages()).to_contain_text(f"Added {sku} to the catalogue")
    expect(row(visitor, sku)).to_contain_text("$59.90")
    restock = visitor.part("Restock")
    restock.get_by_label("SKU").select_option(sku)
    restock.get_by_label("Warehouse").select_option("Warehouse B")
    restock.get_by_label("Quantity").fill("7")
    restock.get_by_role("button", name="Add stock").dblclick()
    expect(visitor.messages()).to_contain_text(f"Added 7 of {sku} to Warehouse B.")
    reprice = visitor.part("Change a price")
    reprice.get_by_label("SKU").select_option(sku)
    reprice.get_by_label("New price in USD").fill("65")
    visitor.presses("Change the price")
    expect(row(visitor, sku)).to_contain_text("$65.00")
    shopper.knows(sku)
    assert (shopper.prices[sku], shopper.start[sku]["Warehouse B"]) == (6500, 7)
    shopper.delivers(shopper.orders({sku: 2}))
    expect(row(visitor, sku).get_by_role("cell").nth(5)).to_have_text("0")
    expect(row(visitor, sku).get_by_role("cell").last).to_have_text("5")


def test_an_invalid_price_is_refused(visitor: Visitor) -> None:
    visitor.expect_errors("status of 422")
    visitor.is_role("Store manager")
    reprice = visitor.part("Change a price")
    reprice.get_by_label("SKU").select_option("milk")
    reprice.get_by_label("New price in USD").fill("a lot")
    visitor.presses("Change the price")
    expect(visitor.page.get_by_role("alert")).to_contain_text("New price in USD: must be an amount like 59.90")
    expect(reprice.get_by_label("New price in USD")).to_be_focused()


def test_the_stock_is_filtered_while_typing(visitor: Visitor) -> None:
    visitor.is_role("Store manager")
    visitor.page.get_by_label("Filter").fill("vans old")
    expect(row(visitor, "Vans Old Skool")).to_be_visible()
    expect(row(visitor, "milk")).to_be_hidden()
    visitor.page.get_by_label("Filter").fill("")
    expect(row(visitor, "milk")).to_be_visible()


@pytest.mark.usefixtures("switches")
def test_a_spending_limit_declines_a_charge_until_it_is_reset(visitor: Visitor, shopper: Shopper) -> None:
    visitor.is_role("Store manager")
    visitor.page.get_by_label("Spending limit in USD (0 for none)").fill("10")
    visitor.presses("Set the limit")
    expect(visitor.part("Fraud check")).to_contain_text("up to $10.00")
    order_id = shopper.orders({shopper.goods(price=1100, a=1): 1})
    assert shopper.sees(order_id, "failed")["fulfillments"][0]["reason"] == "paymentDeclined"
    visitor.part("Fraud check").get_by_text("Reset the fraud check").click()
    visitor.presses("Yes, reset")
    expect(visitor.part("Fraud check")).to_contain_text("no spending limit")
    shopper.delivers(shopper.orders({shopper.goods(price=1100, a=1): 1}))


@pytest.mark.usefixtures("switches")
def test_orders_wait_during_maintenance_and_without_bookings(visitor: Visitor, shopper: Shopper) -> None:
    visitor.is_role("Store manager")
    visitor.presses("Turn maintenance on")
    expect(visitor.part("Fraud check")).to_contain_text("Maintenance is on")
    visitor.presses("Stop bookings")
    expect(visitor.part("Shipping")).to_contain_text("stopped")
    order_id = shopper.orders({shopper.goods(a=1): 1})
    shopper.sees(order_id, "processing")
    visitor.presses("Turn maintenance off")
    shopper.sees_shipments(order_id, "pending")
    visitor.presses("Allow bookings")
    expect(visitor.part("Shipping")).to_contain_text("can be booked")
    shopper.delivers(order_id)


def test_the_ledger_shows_charges_and_refunds(visitor: Visitor, shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(price=1000, a=1): 1})
    shopper.sees_shipments(order_id, "booked")
    visitor.is_role("Store manager")
    visitor.page.get_by_label("Order", exact=True).fill(order_id)
    visitor.presses("Look up")
    expect(visitor.part("Ledger")).to_contain_text("refunded $0.00")
    shopper.shop.act(order_id, "cancel")
    expect(visitor.part("Ledger")).to_contain_text("refunded $16.99")


def test_an_unavailable_service_affects_only_its_own_card(visitor: Visitor, system: System) -> None:
    with outage(system, "shipping"):
        visitor.is_role("Store manager")
        expect(visitor.part("Shipping")).to_contain_text("cannot be shown right now")
        expect(visitor.part("Fraud check")).to_contain_text("Maintenance is off")
        expect(row(visitor, "milk")).to_be_visible()
