"""Live updates: pages show interruptions, recover without a reload, and miss no changes."""

from playwright.sync_api import Request, expect

from tests.browser.outage import outage
from tests.browser.visitor import Visitor
from tests.e2e.groups import System
from tests.e2e.shopper import Shopper


def hides(visitor: Visitor, hidden: bool) -> None:
    """Simulate a hidden or visible tab; a headless browser has no hidden tabs."""
    visitor.page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def opens_booked_order(visitor: Visitor, order_id: str, shopper: Shopper) -> None:
    """Open the page of an order with booked shipments."""
    shopper.sees_shipments(order_id, "booked")
    visitor.goes_to(f"/shop/orders/{order_id}")
    visitor.is_live()
    visitor.marks()


def shows(visitor: Visitor, status: str) -> None:
    """Wait for an order's status."""
    expect(visitor.heading().locator(".badge")).to_have_text(status)


def open_streams(visitor: Visitor) -> list[Request]:
    """Return the open streams of the visitor's pages."""
    return [request for request in visitor.live if request not in visitor.ended]


def test_a_page_shows_that_it_is_disconnected_and_catches_up(
    visitor: Visitor, shopper: Shopper, system: System
) -> None:
    visitor.expect_errors("ERR_")
    order_id = shopper.orders({shopper.goods(a=1): 1})
    opens_booked_order(visitor, order_id, shopper)
    with outage(system, "web"):
        expect(visitor.page.locator("#live-state")).to_have_text("Disconnected, trying again")
        visitor.cancels()
        expect(visitor.page.get_by_role("alert")).to_contain_text("The server cannot be reached")
        shopper.delivers(order_id)
        shows(visitor, "processing")
    visitor.is_live()
    shows(visitor, "completed")
    expect(visitor.page.get_by_role("alert")).to_have_count(0)
    assert visitor.was_not_reloaded()


def test_a_page_shows_at_once_that_the_browser_is_offline(visitor: Visitor, shopper: Shopper) -> None:
    visitor.expect_errors("ERR_")
    order_id = shopper.orders({shopper.goods(a=1): 1})
    opens_booked_order(visitor, order_id, shopper)
    visitor.context.set_offline(True)
    expect(visitor.page.locator("#live-state")).to_have_text("You are offline, trying again")
    shopper.delivers(order_id)
    visitor.context.set_offline(False)
    visitor.is_live()
    shows(visitor, "completed")
    assert visitor.was_not_reloaded()


def test_a_page_shows_an_outage_of_the_feed_and_catches_up(visitor: Visitor, shopper: Shopper, system: System) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    opens_booked_order(visitor, order_id, shopper)
    with outage(system, "notifications"):
        expect(visitor.page.locator("#live-state")).to_have_text("The event feed is not responding")
        shopper.delivers(order_id)
    visitor.is_live()
    shows(visitor, "completed")
    assert visitor.was_not_reloaded()


def test_an_error_page_reloads_when_the_service_is_back(visitor: Visitor, shopper: Shopper, system: System) -> None:
    visitor.expect_errors("status of 50")
    order_id = shopper.orders({shopper.goods(a=1): 1})
    with outage(system, "orderprocessing"):
        assert visitor.goes_to(f"/shop/orders/{order_id}").status >= 500
        expect(visitor.page.get_by_role("alert")).to_contain_text("is not responding. Try again.")
    # The page reloads without any action.
    expect(visitor.heading()).to_contain_text(order_id)
    shopper.delivers(order_id)


def test_a_hidden_tab_closes_its_connection(visitor: Visitor, shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    opens_booked_order(visitor, order_id, shopper)
    assert len(open_streams(visitor)) == 1
    with visitor.page.expect_event("requestfailed", lambda request: request in visitor.live):
        hides(visitor, True)
    assert open_streams(visitor) == []
    shopper.delivers(order_id)
    hides(visitor, False)
    shows(visitor, "completed")
    visitor.is_live()
    assert len(open_streams(visitor)) == 1


def test_a_page_does_not_poll(visitor: Visitor, shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    with visitor.page.expect_response(lambda answer: "part=1" in answer.url):
        opens_booked_order(visitor, order_id, shopper)
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    visitor.page.wait_for_timeout(2500)
    # An earlier event may arrive late, but a page that polls would have sent several requests.
    assert len(asked) <= 1


def test_a_page_shows_that_it_is_not_up_to_date(visitor: Visitor, shopper: Shopper) -> None:
    visitor.expect_errors("status of 503")
    order_id = shopper.orders({shopper.goods(a=1): 1})
    opens_booked_order(visitor, order_id, shopper)
    visitor.page.route("**/*part=1*", lambda route: route.fulfill(status=503))
    shopper.delivers(order_id)
    expect(visitor.page.locator("#live-state")).to_have_text("Not up to date: 503")
    shows(visitor, "processing")
    visitor.page.unroute("**/*part=1*")
    visitor.is_live()
    shows(visitor, "completed")


def test_a_page_reopens_a_stream_without_messages(visitor: Visitor, shopper: Shopper) -> None:
    visitor.page.clock.install()
    order_id = shopper.orders({shopper.goods(a=1): 1})
    opens_booked_order(visitor, order_id, shopper)
    with visitor.page.expect_request("**/live?*"):
        visitor.page.clock.fast_forward(41_000)
    visitor.is_live()
    visitor.waits_for(lambda: len(open_streams(visitor)) == 1)


def test_the_focus_stays_in_a_row_when_a_row_above_is_removed(visitor: Visitor, shopper: Shopper) -> None:
    orders = [shopper.orders({shopper.goods(a=1): 1}) for _ in range(2)]
    shipments = [shipment for order_id in orders for shipment in shopper.sees_shipments(order_id, "booked")]
    visitor.is_role("Courier")
    visitor.is_live()
    boxes = [visitor.page.get_by_role("checkbox", name=shipment, exact=True) for shipment in shipments]
    places = [box.evaluate("one => [...document.querySelectorAll('[type=checkbox]')].indexOf(one)") for box in boxes]
    (_, goes), (_, stays) = sorted(zip(places, range(2), strict=True))
    boxes[stays].focus()
    shopper.shop.act(orders[goes], "cancel")
    expect(boxes[goes]).to_have_count(0)
    expect(boxes[stays]).to_be_focused()


def test_the_focus_stays_on_a_pressed_button(visitor: Visitor, shopper: Shopper) -> None:
    visitor.expect_errors("status of 422")
    visitor.is_role("Courier")
    shopper.sees_shipments(shopper.orders({shopper.goods(a=1): 1}), "booked")
    button = visitor.page.get_by_role("button", name="Dispatch selected")
    button.press("Enter")
    expect(visitor.page.get_by_role("alert")).to_contain_text("(422)")
    expect(button).to_be_focused()


def test_input_in_one_form_stays_when_another_is_sent(visitor: Visitor, shopper: Shopper) -> None:
    sku = shopper.goods(a=1)
    visitor.is_role("Store manager")
    visitor.is_live()
    visitor.marks()
    reprice, restock = visitor.part("Change a price"), visitor.part("Restock")
    reprice.get_by_label("SKU").select_option(sku)
    reprice.get_by_label("New price in USD").fill("65")
    restock.get_by_label("SKU").select_option(sku)
    restock.get_by_label("Quantity").fill("7")
    key = restock.locator("[name=formKey]").input_value()
    visitor.presses("Add stock")
    expect(visitor.messages()).to_contain_text(f"Added 7 of {sku}")
    expect(restock.get_by_label("Quantity")).to_have_value("")
    assert restock.locator("[name=formKey]").input_value() != key
    expect(reprice.get_by_label("SKU")).to_have_value(sku)
    expect(reprice.get_by_label("New price in USD")).to_have_value("65")
    assert visitor.was_not_reloaded()


def test_the_message_of_a_form_is_announced_on_the_next_page(visitor: Visitor) -> None:
    visitor.is_customer("a new customer")
    status = visitor.page.get_by_role("status").filter(has_text="a new customer")
    # Screen readers announce only messages that are added after the page was loaded; those have a close button.
    expect(status.get_by_role("button", name="Close this message")).to_be_visible()
