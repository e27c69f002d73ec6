"""What the pages do about breaks: they say so, come back by themselves, and have missed nothing."""

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
        visitor.presses("Cancel the order")
        expect(visitor.page.get_by_role("alert")).to_contain_text("The server cannot be reached")
        shopper.delivers(order_id)
        shows(visitor, "processing")
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


def test_a_page_shows_an_error_while_the_service_behind_it_is_away(
    visitor: Visitor, shopper: Shopper, system: System
) -> None:
    visitor.excuse("status of 50")
    order_id = shopper.orders({shopper.goods(a=1): 1})
    with away(system, "orderprocessing"):
        assert visitor.goes_to(f"/shop/orders/{order_id}").status >= 500
        expect(visitor.page.get_by_role("alert")).to_contain_text("does not answer right now. Try again.")
    visitor.page.reload()
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
