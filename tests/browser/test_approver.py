"""The approver: sees what waits, decides under a name, and is told when somebody else was faster."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.visitor import Visitor
from tests.e2e.shopper import Shopper


@pytest.fixture
def dear_order(shopper: Shopper) -> str:
    """An order that waits for an approval."""
    order_id = shopper.orders({shopper.goods(price=60_000, a=2): 2})
    shopper.sees(order_id, "approvalRequired")
    return order_id


def approves_as(visitor: Visitor, name: str) -> None:
    """Go to the page of the approver and give a name."""
    visitor.is_role("Approver")
    visitor.page.get_by_label("Your name").fill(name)
    visitor.page.get_by_role("button", name="Begin").click()
    expect(visitor.page.get_by_role("button", name="Change")).to_be_visible()
    expect(visitor.page.get_by_label("Your name")).to_be_focused()


def case(visitor: Visitor, order_id: str) -> Locator:
    """Return what the page shows of an order."""
    return visitor.page.get_by_role("article", name=f"Order {order_id}")


def test_an_order_comes_up_by_itself_and_goes_on_when_approved(visitor: Visitor, shopper: Shopper) -> None:
    approves_as(visitor, "Chris")
    visitor.is_live()
    visitor.marks()
    order_id = shopper.orders({shopper.goods(price=60_000, a=2): 2})
    expect(case(visitor, order_id)).to_contain_text("$1,200.00")
    expect(case(visitor, order_id)).to_contain_text(" minutes left")
    visitor.presses(f"Approve order {order_id}")
    expect(visitor.says()).to_contain_text(f"Order {order_id} is approved.")
    expect(case(visitor, order_id)).to_have_count(0)
    # The keyboard goes on in the list, not at the top of the page.
    assert visitor.page.evaluate("document.getElementById('live').contains(document.activeElement)")
    assert visitor.was_not_reloaded()
    shopper.delivers(order_id)
    visitor.goes_to(f"/shop/orders/{order_id}")
    expect(visitor.page.get_by_role("listitem").filter(has_text="Chris")).to_be_visible()


def test_a_rejected_order_is_cancelled(visitor: Visitor, shopper: Shopper, dear_order: str) -> None:
    approves_as(visitor, "Robin")
    visitor.page.get_by_text(f"Reject order {dear_order}", exact=True).click()
    visitor.presses(f"Yes, reject order {dear_order}")
    expect(visitor.says()).to_contain_text(f"Order {dear_order} is rejected.")
    assert shopper.sees(dear_order, "cancelled")["reason"] == "approvalRejected"


def test_nobody_decides_without_a_name(visitor: Visitor, shopper: Shopper, dear_order: str) -> None:
    visitor.excuse("status of 422")
    visitor.is_role("Approver")
    visitor.presses(f"Approve order {dear_order}")
    expect(visitor.page.get_by_role("alert")).to_contain_text("(422)")
    assert shopper.shop.order(dear_order)["status"] == "approvalRequired"


def test_the_slower_of_two_approvers_is_told(visitor: Visitor, shopper: Shopper, dear_order: str) -> None:
    visitor.excuse("status of 409|ERR_FAILED")
    approves_as(visitor, "Chris")
    expect(case(visitor, dear_order)).to_be_visible()
    visitor.stops_hearing()
    shopper.shop.approve(dear_order, approved=False)
    visitor.presses(f"Approve order {dear_order}")
    expect(visitor.page.get_by_role("alert")).to_contain_text("(409)")
    shopper.sees(dear_order, "cancelled")
