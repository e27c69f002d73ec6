"""Support: searches for an order and sees all its details."""

import re

from playwright.sync_api import expect

from tests.browser.visitor import Visitor
from tests.e2e.shopper import Shopper


def searches(visitor: Visitor, query: str) -> None:
    """Search for an order or a customer."""
    visitor.is_role("Support")
    visitor.page.get_by_label("Order or customer").fill(query)
    visitor.presses("Find")


def test_an_order_is_found_by_its_id_with_all_details(visitor: Visitor, shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(price=1000, a=1): 1})
    shopper.delivers(order_id)
    searches(visitor, order_id)
    assert visitor.order_id() == order_id
    expect(visitor.heading()).to_contain_text("completed")
    expect(visitor.part("State")).to_contain_text(shopper.customer_id)
    expect(visitor.part("Steps and events")).to_contain_text(f"{order_id}/1")
    expect(visitor.part("Ledger")).to_contain_text("$16.99")
    trace = visitor.page.get_by_role("link", name=re.compile(r"^[0-9a-f]{32} in Zipkin$"))
    expect(trace).to_have_attribute("href", re.compile(r"/zipkin/traces/[0-9a-f]{32}$"))


def test_the_history_of_the_workflow_is_readable_and_stays_open_while_the_page_changes(
    visitor: Visitor, shopper: Shopper
) -> None:
    sku = shopper.goods(a=1)
    order_id = shopper.orders({sku: 1})
    shopper.sees_shipments(order_id, "booked")
    visitor.goes_to(f"/support/orders/{order_id}")
    visitor.is_live()
    visitor.marks()
    history = visitor.part("Workflow history")
    history.get_by_text(f"charge-{order_id}-1").click()
    table = visitor.page.get_by_role("region", name=f"charge-{order_id}-1")
    table.locator("summary").first.click()
    payload = table.locator("pre").first
    expect(payload).to_contain_text(order_id)
    shopper.shop.report(f"{order_id}:1", "dispatched")
    expect(visitor.part("Fulfillments")).to_contain_text("dispatched")
    expect(payload).to_be_visible()
    assert visitor.was_not_reloaded()


def test_the_history_names_the_worker_of_each_activity(visitor: Visitor, shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    shopper.sees_shipments(order_id, "booked")
    visitor.goes_to(f"/support/orders/{order_id}")
    visitor.part("Workflow history").get_by_text(f"shipment-{order_id}-1").click()
    table = visitor.page.get_by_role("region", name=f"shipment-{order_id}-1")
    completed = table.get_by_role("row").filter(has_text="Task completed").filter(has_text="book")
    expect(completed.locator("td[data-label=Worker]")).to_have_text(
        re.compile(r"worker-\d+\s+version [0-9a-f]{10}\s*try 1, \d+ ms from .+")
    )


def test_all_orders_of_a_customer_are_found_by_their_name(visitor: Visitor, shopper: Shopper) -> None:
    orders = [shopper.orders({shopper.goods(a=1): 1}) for _ in range(2)]
    searches(visitor, shopper.customer_id)
    expect(visitor.page.get_by_role("heading", level=2)).to_have_text(f"Orders of customer {shopper.customer_id}")
    for order_id in orders:
        expect(visitor.page.get_by_role("link", name=order_id)).to_be_visible()
    visitor.page.get_by_role("link", name=orders[0]).click()
    expect(visitor.heading()).to_contain_text(f"Order {orders[0]}")


def test_a_search_without_results_is_shown_as_such(visitor: Visitor) -> None:
    searches(visitor, "unknown-customer")
    expect(visitor.page.get_by_text("No results")).to_be_visible()
