"""The approver: sees open orders, decides under a name, and gets an error if another approver was faster."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.visitor import Visitor
from tests.e2e.shopper import Shopper


@pytest.fixture
def high_value_order(shopper: Shopper) -> str:
    """An order that needs approval."""
    order_id = shopper.orders({shopper.goods(price=60_000, a=2): 2})
    shopper.sees(order_id, "approvalRequired")
    return order_id


def approves_as(visitor: Visitor, name: str) -> None:
    """Open the approver's page and save a name."""
    visitor.is_role("Approver")
    visitor.page.get_by_label("Your name").fill(name)
    visitor.page.get_by_role("button", name="Save").click()
    expect(visitor.page.get_by_role("button", name="Change")).to_be_visible()
    expect(visitor.page.get_by_label("Your name")).to_be_focused()


def case(visitor: Visitor, order_id: str) -> Locator:
    """Return the card of an order."""
    return visitor.page.get_by_role("article", name=f"Order {order_id}")


def test_an_order_appears_without_a_reload_and_continues_when_approved(visitor: Visitor, shopper: Shopper) -> None:
    approves_as(visitor, "Chris")
    visitor.is_live()
    visitor.marks()
    order_id = shopper.orders({shopper.goods(price=60_000, a=2): 2})
    expect(case(visitor, order_id)).to_contain_text("$1,200.00")
    expect(case(visitor, order_id)).to_contain_text(" minutes left")
    visitor.presses(f"Approve order {order_id}")
    expect(visitor.messages()).to_contain_text(f"Order {order_id} is approved.")
    expect(case(visitor, order_id)).to_have_count(0)
    # The focus stays in the list.
    assert visitor.page.evaluate("document.getElementById('live').contains(document.activeElement)")
    assert visitor.was_not_reloaded()
    shopper.delivers(order_id)
    visitor.goes_to(f"/shop/orders/{order_id}")
    expect(visitor.page.get_by_role("listitem").filter(has_text="Chris")).to_be_visible()


def test_a_rejected_order_is_cancelled(visitor: Visitor, shopper: Shopper, high_value_order: str) -> None:
    approves_as(visitor, "Robin")
    visitor.page.get_by_text(f"Reject order {high_value_order}", exact=True).click()
    visitor.presses(f"Yes, reject order {high_value_order}")
    expect(visitor.messages()).to_contain_text(f"Order {high_value_order} is rejected.")
    assert shopper.sees(high_value_order, "cancelled")["reason"] == "approvalRejected"


def test_a_decision_needs_a_name(visitor: Visitor, shopper: Shopper, high_value_order: str) -> None:
    visitor.expect_errors("status of 422")
    visitor.is_role("Approver")
    visitor.presses(f"Approve order {high_value_order}")
    expect(visitor.page.get_by_role("alert")).to_contain_text("(422)")
    assert shopper.shop.order(high_value_order)["status"] == "approvalRequired"


def test_the_slower_of_two_approvers_gets_an_error(visitor: Visitor, shopper: Shopper, high_value_order: str) -> None:
    visitor.expect_errors("status of 409|ERR_FAILED")
    approves_as(visitor, "Chris")
    expect(case(visitor, high_value_order)).to_be_visible()
    visitor.stops_updating()
    shopper.shop.approve(high_value_order, approved=False)
    visitor.presses(f"Approve order {high_value_order}")
    expect(visitor.page.get_by_role("alert")).to_contain_text("(409)")
    shopper.sees(high_value_order, "cancelled")
