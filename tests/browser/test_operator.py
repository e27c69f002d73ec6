"""The operator: generates orders, injects faults, and sees every order end."""

import re

from playwright.sync_api import Locator, expect

from tests.browser.outage import outage
from tests.browser.visitor import Visitor
from tests.e2e.client import Shop
from tests.e2e.crashes import kill
from tests.e2e.groups import System
from tests.e2e.polling import eventually

ENDED = re.compile(r"has ended, and every order has ended")
WITHIN_MILLISECONDS = 90_000


def count(visitor: Visitor, name: str) -> Locator:
    """Return a count of the stream by its name."""
    term = visitor.page.get_by_role("term").filter(has_text=re.compile(rf"^{name}$"))
    return visitor.page.locator("dl.counts > div").filter(has=term).locator("dd")


def starts(visitor: Visitor, rate: str, seconds: str) -> None:
    """Start a stream whose courier delivers at once."""
    visitor.is_role("Operator")
    visitor.page.get_by_role("spinbutton", name="Orders per second").fill(rate)
    visitor.page.get_by_role("spinbutton", name="Duration").fill(seconds)
    visitor.page.get_by_text("Orders, users and courier").click()
    for label in ("Dispatch after", "Deliver after"):
        visitor.page.get_by_label(label).fill("0")
    visitor.presses("Start the stream")
    expect(visitor.messages()).to_contain_text("has started")


def is_over(visitor: Visitor) -> None:
    """Wait until every order of the stream has ended."""
    expect(visitor.page.get_by_text(ENDED)).to_be_visible(timeout=WITHIN_MILLISECONDS)
    expect(count(visitor, "open")).to_have_text("0")
    expect(count(visitor, "failed")).to_have_text("0")


def test_a_stream_survives_a_reload_and_a_killed_worker_and_no_order_fails(visitor: Visitor, system: System) -> None:
    starts(visitor, "2", "10")
    visitor.is_live()
    expect(count(visitor, "completed")).not_to_have_text("0")
    visitor.page.reload()
    visitor.is_live()
    visitor.marks()
    kill(system.stack, *system.stack.workers)
    is_over(visitor)
    expect(count(visitor, "sent")).to_have_text("20")
    assert visitor.was_not_reloaded()


def test_a_stopped_stream_waits_for_its_open_orders(visitor: Visitor) -> None:
    starts(visitor, "2", "600")
    expect(count(visitor, "sent")).not_to_have_text("0")
    # A double click does not end the stream: its users still act on the open orders.
    visitor.page.get_by_role("button", name="Stop the stream").dblclick()
    expect(visitor.page.get_by_role("button", name="Stop the stream")).to_have_count(0)
    is_over(visitor)
    assert int(count(visitor, "sent").inner_text()) < 100


def test_a_stream_lost_in_a_restart_is_reported(visitor: Visitor, system: System) -> None:
    visitor.expect_errors("ERR_")
    starts(visitor, "1", "600")
    visitor.is_live()
    expect(count(visitor, "sent")).not_to_have_text("0")
    visitor.marks()
    with outage(system, "web"):
        expect(visitor.page.locator("#live-state")).to_have_text("Disconnected, trying again")
    expect(visitor.page.get_by_text("The console was restarted, which ended the stream")).to_be_visible()
    assert visitor.was_not_reloaded()


def test_a_killed_worker_is_reported_until_it_is_back(visitor: Visitor, system: System) -> None:
    visitor.expect_errors("status of 50")
    visitor.is_role("Operator")
    workers = visitor.page.get_by_role("figure").filter(has_text="Workers").locator(".chart-values")
    expect(workers).to_have_text("connected 2")
    with system.stack.without(*system.stack.workers):
        expect(workers).to_have_text("connected 0")
        expect(visitor.page.get_by_text("No worker is connected.")).to_be_visible()
    expect(visitor.page.get_by_text(re.compile("A worker is back after about [0-9]+ seconds?"))).to_be_visible()


def test_the_charts_change_and_describe_their_values(visitor: Visitor) -> None:
    visitor.is_role("Operator")
    visitor.is_live()
    figure = visitor.page.get_by_role("figure").filter(has_text="Workers")
    expect(figure.locator(".chart-values")).to_contain_text(re.compile("connected 2"))
    expect(figure.get_by_role("img")).to_have_attribute("aria-label", re.compile("Workers"))
    before = figure.locator("canvas").evaluate("canvas => canvas.toDataURL()")
    eventually(lambda: figure.locator("canvas").evaluate("canvas => canvas.toDataURL()") != before)


def test_shares_that_do_not_add_up_are_refused(visitor: Visitor) -> None:
    visitor.expect_errors("status of 422")
    visitor.is_role("Operator")
    visitor.page.get_by_text("Orders, users and courier").click()
    visitor.page.get_by_label("Amend").fill("10")
    visitor.presses("Start the stream")
    expect(visitor.page.get_by_role("alert")).to_have_text(
        "Do not answer: the three shares in this row must add up to 100 %; they add up to 30 % (422)"
    )
    expect(visitor.page.get_by_label("Do not answer").first).to_be_focused()


def test_a_process_is_killed_from_the_page_and_restarted(visitor: Visitor, system: System) -> None:
    before = system.stack.pid("billing")
    visitor.is_role("Operator")
    visitor.presses("Kill billing")
    expect(visitor.messages()).to_contain_text("A process of billing is being killed")
    eventually(lambda: system.stack.pid("billing") not in (None, before))
    eventually(lambda: system.shop.is_ready("billing"))


def test_fault_injection_is_turned_on_and_off_for_a_service(visitor: Visitor, shop: Shop) -> None:
    visitor.is_role("Operator")
    visitor.page.get_by_text("Failing calls, lost writes").click()
    line = visitor.page.get_by_role("row").filter(has_text="billing")
    visitor.page.get_by_label("Service", exact=True).select_option("billing")
    for percent, state in (("5", "on"), ("0", "off")):
        visitor.page.get_by_label("Failing calls, in %").fill(percent)
        visitor.presses("Apply")
        expect(line).to_contain_text(state)
        assert shop.get("billing", "/chaos")["failures"] == int(percent) / 100
