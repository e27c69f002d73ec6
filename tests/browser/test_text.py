"""All input is shown as text and runs no script, even without the content security policy."""

import pytest
from playwright.sync_api import Response, expect

from services.web.pages import ROLES
from tests.browser.conftest import NewVisitor
from tests.browser.tour import STOPS, Stop, TourOrders
from tests.browser.visitor import HOSTILE, Visitor

FIELDS = "input:is([type=text], [type=search], :not([type])), textarea"


@pytest.fixture
def unprotected(new_visitor: NewVisitor) -> Visitor:
    """A visitor whose browser ignores the content security policy."""
    return new_visitor(bypass_csp=True)


def is_unharmed(visitor: Visitor) -> None:
    """Check that no hostile text became an element; the visitor records scripts that ran."""
    expect(visitor.page.locator("[src=x], [onload]")).to_have_count(0)
    assert visitor.unexpected_errors() == []


def test_a_hostile_script_is_detected(unprotected: Visitor) -> None:
    unprotected.expect_errors("hostile text . ran|status of 404")
    unprotected.goes_to("/")
    unprotected.page.evaluate("text => { document.write(text); document.close(); }", HOSTILE)
    expect(unprotected.page.locator("[src=x], [onload]")).to_have_count(2)
    strikes = {f"hostile text {number} ran" for number in (1, 2, 3)}
    unprotected.waits_for(lambda: strikes <= set(unprotected.errors))


def is_form_answer(answer: Response) -> bool:
    """Return whether an answer is the answer to a form."""
    return answer.request.method == "POST" or answer.request.is_navigation_request()


@pytest.mark.parametrize("stop", STOPS, ids=str)
def test_hostile_names_are_text_on_every_page(unprotected: Visitor, tour_orders: TourOrders, stop: Stop) -> None:
    stop.opens(unprotected, tour_orders)
    is_unharmed(unprotected)


def test_live_updates_show_hostile_names_as_text(unprotected: Visitor, tour_orders: TourOrders) -> None:
    shopper = tour_orders.shopper
    unprotected.is_customer(shopper.customer_id)
    unprotected.is_live()
    sku = shopper.goods(a=1)
    order_id = shopper.orders({sku: 1})
    expect(unprotected.page.get_by_role("row", name=order_id)).to_contain_text("processing")
    is_unharmed(unprotected)
    unprotected.goes_to(f"/shop/orders/{order_id}")
    unprotected.is_live()
    shopper.delivers(order_id)
    expect(unprotected.heading()).to_contain_text("completed")
    expect(unprotected.page.get_by_role("listitem").filter(has_text=sku)).to_be_visible()
    is_unharmed(unprotected)


def test_a_hostile_customer_name_is_text(unprotected: Visitor) -> None:
    unprotected.is_customer(HOSTILE)
    expect(unprotected.page.get_by_label("You are customer")).to_have_value(HOSTILE)
    is_unharmed(unprotected)


def test_a_hostile_url_is_an_error_page(unprotected: Visitor) -> None:
    unprotected.expect_errors("status of 404")
    for path in ("/shop/orders/", "/"):
        unprotected.goes_to(path + HOSTILE.replace("/", "%2F"))
        expect(unprotected.page.get_by_role("alert")).to_be_visible()
        is_unharmed(unprotected)


@pytest.mark.parametrize("role", [role.name for role in ROLES])
def test_every_field_takes_a_hostile_text_as_text(unprotected: Visitor, role: str) -> None:
    unprotected.expect_errors("status of 4")
    unprotected.is_role(role)
    address = unprotected.page.url
    for number in range(unprotected.page.locator(FIELDS).count()):
        unprotected.page.goto(address)
        field = unprotected.page.locator(FIELDS).nth(number)
        field.evaluate("one => { for (let at = one; at; at = at.parentElement) if ('open' in at) at.open = true; }")
        field.fill(HOSTILE)
        if field.evaluate("one => Boolean(one.form)"):
            with unprotected.page.expect_response(is_form_answer) as answer:
                # Other required fields stay empty, so their errors are shown with this text.
                field.evaluate("one => { one.form.noValidate = true; one.form.requestSubmit(); }")
            answer.value.finished()
        is_unharmed(unprotected)
    unprotected.page.goto(address)
    is_unharmed(unprotected)
