"""Accessibility: keyboard, screen reader, phone, dark mode, and no scripts."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from tests.browser.conftest import NewVisitor
from tests.browser.tour import STOPS, Stop, TourOrders
from tests.browser.visitor import Visitor
from tests.e2e.shopper import Shopper

SERIOUS = {"serious", "critical"}
PHONE = {"width": 375, "height": 667}
MAX_TABS = 60
every_page = pytest.mark.parametrize("stop", STOPS, ids=str)


def axe_violations(visitor: Visitor) -> str:
    """Return the serious violations that axe-core finds, one line per element."""
    violations: list[dict[str, Any]] = Axe().run(visitor.page).response["violations"]
    return "\n".join(
        f"{violation['id']} ({violation['impact']}): {violation['help']}: {node['html'][:300]}"
        for violation in violations
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    )


def opens_everything(visitor: Visitor) -> None:
    """Open all details."""
    visitor.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")


def button(visitor: Visitor, name: str) -> Locator:
    """Return the button with this name."""
    return visitor.page.get_by_role("button", name=name, exact=True)


def tabs_to(visitor: Visitor, wanted: Locator) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(MAX_TABS):
        visitor.page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{wanted} is not reached after {MAX_TABS} tabs")


@every_page
def test_axe_finds_nothing_serious_in_light_or_dark(visitor: Visitor, tour_orders: TourOrders, stop: Stop) -> None:
    stop.opens(visitor, tour_orders)
    opens_everything(visitor)
    for scheme in ("light", "dark"):
        visitor.page.emulate_media(color_scheme=scheme)
        expect(visitor.page.locator("html")).to_have_attribute("data-bs-theme", scheme)
        violations = axe_violations(visitor)
        assert not violations, f"{scheme}: {violations}"


@every_page
def test_a_phone_never_scrolls_sideways(new_visitor: NewVisitor, tour_orders: TourOrders, stop: Stop) -> None:
    visitor = new_visitor(viewport=PHONE, is_mobile=True, has_touch=True)
    stop.opens(visitor, tour_orders)
    opens_everything(visitor)
    widths = visitor.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert widths == [PHONE["width"], PHONE["width"]]
    tables = visitor.page.locator(".table-responsive").all()
    assert not [one.inner_text() for one in tables if one.evaluate("one => one.scrollWidth > one.clientWidth")]


def test_axe_finds_a_missing_label(visitor: Visitor) -> None:
    visitor.goes_to("/")
    visitor.page.evaluate("document.querySelector('h1').replaceChildren(document.createElement('input'))")
    assert axe_violations(visitor).startswith("label (critical)")


def test_an_order_is_placed_and_cancelled_with_tab_and_enter_only(visitor: Visitor, shopper: Shopper) -> None:
    visitor.goes_to("/shop/")
    visitor.page.keyboard.press("Tab")
    expect(visitor.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    tabs_to(visitor, button(visitor, "Order example 1"))
    visitor.page.keyboard.press("Enter")
    order_id = visitor.order_id()
    shopper.sees_shipments(order_id, "booked")
    tabs_to(visitor, visitor.page.get_by_text("Cancel the order", exact=True))
    visitor.page.keyboard.press("Enter")
    tabs_to(visitor, button(visitor, "Yes, cancel the order"))
    visitor.page.keyboard.press("Enter")
    expect(visitor.heading().locator(".badge")).to_have_text("cancelled")


def test_the_focus_stays_where_it_is_while_the_page_changes(visitor: Visitor, shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    visitor.goes_to(f"/shop/orders/{order_id}")
    visitor.is_live()
    cancel = visitor.page.get_by_text("Cancel the order", exact=True)
    tabs_to(visitor, cancel)
    shopper.sees_shipments(order_id, "booked")
    expect(visitor.page.get_by_text("Courier booked: done")).to_be_visible()
    expect(cancel).to_be_focused()


def test_light_and_dark_follow_the_system_at_once(new_visitor: NewVisitor) -> None:
    visitor = new_visitor(color_scheme="light")
    visitor.goes_to("/")
    body = visitor.page.locator("body")
    expect(body).to_have_css("background-color", "rgb(255, 255, 255)")
    visitor.page.emulate_media(color_scheme="dark")
    expect(body).to_have_css("background-color", "rgb(33, 37, 41)")


def test_without_scripts_an_order_is_placed_found_and_amended(new_visitor: NewVisitor, shopper: Shopper) -> None:
    visitor = new_visitor(java_script_enabled=False)
    page = visitor.page
    visitor.is_customer(shopper.customer_id)
    page.get_by_text("Fill a cart").click()
    page.get_by_label("Vans Old Skool", exact=True).fill("1")
    page.get_by_label("Adidas Classic", exact=True).fill("1")
    page.locator("form[data-cart]").get_by_role("button", name="Order", exact=True).click()
    order_id = visitor.order_id()
    shopper.sees(order_id, "customerActionRequired")
    visitor.goes_to("/shop/")
    page.get_by_role("link", name=order_id).click()
    visitor.presses("Send the rest")
    visitor.page.wait_for_url(f"**/orders/{order_id}")
    shopper.sees_shipments(order_id, "booked")
    page.reload()
    expect(visitor.heading()).to_contain_text("processing")


def test_without_scripts_an_empty_cart_is_an_error_page(new_visitor: NewVisitor) -> None:
    visitor = new_visitor(java_script_enabled=False)
    visitor.expect_errors("status of 422")
    visitor.goes_to("/shop/")
    visitor.page.get_by_text("Fill a cart").click()
    visitor.page.locator("form[data-cart]").get_by_role("button", name="Order", exact=True).click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("choose at least one item")
    visitor.page.get_by_role("link", name="Back").click()
    expect(visitor.heading()).to_have_text("Shop")
