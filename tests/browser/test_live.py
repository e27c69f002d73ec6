"""What the pages do while things change and break: they say so, come back by themselves, and miss and lose nothing."""

from playwright.sync_api import Request, expect

from tests.browser.outage import away
from tests.browser.visitor import Visitor
from tests.e2e.groups import System
from tests.e2e.shopper import Shopper


def hides(visitor: Visitor, hidden: bool) -> None:
    """Tell the page that its tab was left or come back to; a headless browser leaves none by itself."""
    visitor.page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def is_on_the_way(visitor: Visitor, order_id: str, shopper: Shopper) -> None:
    """Open an order that a courier comes for."""
    shopper.sees_shipments(order_id, "booked")
    visitor.goes_to(f"/shop/orders/{order_id}")
    visitor.is_live()
    visitor.marks()


def shows(visitor: Visitor, status: str) -> None:
    """Wait for an order's status."""
    expect(visitor.heading().locator(".badge")).to_have_text(status)


def open_streams(visitor: Visitor) -> list[Request]:
    """Return the streams that the visitor's pages hear."""
    return [one for one in visitor.live if one not in visitor.ended]


def test_a_page_says_that_it_is_cut_off_and_comes_back_with_what_it_missed(
    visitor: Visitor, shopper: Shopper, system: System
) -> None:
    visitor.excuse("ERR_")
    order_id = shopper.orders({shopper.goods(a=1): 1})
    is_on_the_way(visitor, order_id, shopper)
    with away(system, "web"):
        expect(visitor.page.locator("#live-state")).to_have_text("Disconnected, trying again")
        visitor.cancels()
        expect(visitor.page.get_by_role("alert")).to_contain_text("The server cannot be reached")
        shopper.delivers(order_id)
        shows(visitor, "processing")
    visitor.is_live()
    shows(visitor, "completed")
    expect(visitor.page.get_by_role("alert")).to_have_count(0)
    assert visitor.was_not_reloaded()


def test_a_browser_that_goes_offline_is_told_at_once_and_back_at_once(visitor: Visitor, shopper: Shopper) -> None:
    visitor.excuse("ERR_")
    order_id = shopper.orders({shopper.goods(a=1): 1})
    is_on_the_way(visitor, order_id, shopper)
    visitor.context.set_offline(True)
    expect(visitor.page.locator("#live-state")).to_have_text("You are offline, trying again")
    shopper.delivers(order_id)
    visitor.context.set_offline(False)
    visitor.is_live()
    shows(visitor, "completed")
    assert visitor.was_not_reloaded()


def test_a_page_says_that_the_feed_does_not_answer_and_catches_up_when_it_does(
    visitor: Visitor, shopper: Shopper, system: System
) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    is_on_the_way(visitor, order_id, shopper)
    with away(system, "notifications"):
        expect(visitor.page.locator("#live-state")).to_have_text("The feed does not answer")
        shopper.delivers(order_id)
    visitor.is_live()
    shows(visitor, "completed")
    assert visitor.was_not_reloaded()


def test_a_page_shows_an_error_while_the_service_behind_it_is_away_and_opens_when_it_is_back(
    visitor: Visitor, shopper: Shopper, system: System
) -> None:
    visitor.excuse("status of 50")
    order_id = shopper.orders({shopper.goods(a=1): 1})
    with away(system, "orderprocessing"):
        assert visitor.goes_to(f"/shop/orders/{order_id}").status >= 500
        expect(visitor.page.get_by_role("alert")).to_contain_text("does not answer right now. Try again.")
    # Nobody presses anything: the page opens by itself.
    expect(visitor.heading()).to_contain_text(order_id)
    shopper.delivers(order_id)


def test_a_tab_that_nobody_looks_at_gives_its_connection_back(visitor: Visitor, shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    is_on_the_way(visitor, order_id, shopper)
    assert len(open_streams(visitor)) == 1
    with visitor.page.expect_event("requestfailed", lambda request: request in visitor.live):
        hides(visitor, True)
    assert open_streams(visitor) == []
    shopper.delivers(order_id)
    hides(visitor, False)
    shows(visitor, "completed")
    visitor.is_live()
    assert len(open_streams(visitor)) == 1


def test_nothing_is_asked_again_while_nothing_happens(visitor: Visitor, shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    with visitor.page.expect_response(lambda answer: "part=1" in answer.url):
        is_on_the_way(visitor, order_id, shopper)
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    visitor.page.wait_for_timeout(2500)
    # What happened before may be told late, but a page that polls would have asked again and again.
    assert len(asked) <= 1


def test_a_page_that_cannot_be_brought_up_to_date_says_so_until_it_is(visitor: Visitor, shopper: Shopper) -> None:
    visitor.excuse("status of 503")
    order_id = shopper.orders({shopper.goods(a=1): 1})
    is_on_the_way(visitor, order_id, shopper)
    visitor.page.route("**/*part=1*", lambda route: route.fulfill(status=503))
    shopper.delivers(order_id)
    expect(visitor.page.locator("#live-state")).to_have_text("Not up to date: 503")
    shows(visitor, "processing")
    visitor.page.unroute("**/*part=1*")
    visitor.is_live()
    shows(visitor, "completed")


def test_a_page_that_heard_nothing_for_long_opens_its_stream_anew(visitor: Visitor, shopper: Shopper) -> None:
    visitor.page.clock.install()
    order_id = shopper.orders({shopper.goods(a=1): 1})
    is_on_the_way(visitor, order_id, shopper)
    with visitor.page.expect_request("**/live?*"):
        visitor.page.clock.fast_forward(41_000)
    visitor.is_live()
    visitor.sees(lambda: len(open_streams(visitor)) == 1)


def test_the_focus_stays_in_a_line_when_one_above_it_goes(visitor: Visitor, shopper: Shopper) -> None:
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


def test_the_focus_stays_on_a_button_that_was_pressed(visitor: Visitor, shopper: Shopper) -> None:
    visitor.excuse("status of 422")
    visitor.is_role("Courier")
    shopper.sees_shipments(shopper.orders({shopper.goods(a=1): 1}), "booked")
    button = visitor.page.get_by_role("button", name="Dispatch selected")
    button.press("Enter")
    expect(visitor.page.get_by_role("alert")).to_contain_text("(422)")
    expect(button).to_be_focused()


def test_what_is_typed_into_one_form_stays_when_another_is_sent(visitor: Visitor, shopper: Shopper) -> None:
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
    visitor.presses("Put on the shelf")
    expect(visitor.says()).to_contain_text(f"7 more of {sku}")
    expect(restock.get_by_label("Quantity")).to_have_value("")
    assert restock.locator("[name=formKey]").input_value() != key
    expect(reprice.get_by_label("SKU")).to_have_value(sku)
    expect(reprice.get_by_label("New price in USD")).to_have_value("65")
    assert visitor.was_not_reloaded()


def test_what_a_form_did_is_announced_on_the_page_that_follows(visitor: Visitor) -> None:
    visitor.is_customer("somebody new")
    status = visitor.page.get_by_role("status").filter(has_text="somebody new")
    # Only what is put there after the page was opened is read out; what is put there can be closed.
    expect(status.get_by_role("button", name="Close this message")).to_be_visible()
