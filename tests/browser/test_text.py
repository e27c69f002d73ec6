"""Whatever people type is shown as text and runs nothing, even where no policy of the browser would stop it."""

import pytest
from playwright.sync_api import Response, expect

from services.web.pages import ROLES
from tests.browser.conftest import NewVisitor
from tests.browser.tour import STOPS, Furniture, Stop
from tests.browser.visitor import HOSTILE, Visitor

FIELDS = "input:is([type=text], [type=search], :not([type])), textarea"


@pytest.fixture
def defenceless(new_visitor: NewVisitor) -> Visitor:
    """A visitor whose browser runs every script that gets into a page."""
    return new_visitor(bypass_csp=True)


def is_unharmed(visitor: Visitor) -> None:
    """See that no hostile text became more than text; what ran is noted by itself, whenever it does."""
    expect(visitor.page.locator("[src=x], [onload]")).to_have_count(0)
    assert visitor.complaints() == []


def test_a_hostile_text_would_be_noticed(defenceless: Visitor) -> None:
    defenceless.excuse("hostile text . ran|status of 404")
    defenceless.goes_to("/")
    defenceless.page.evaluate("text => { document.write(text); document.close(); }", HOSTILE)
    expect(defenceless.page.locator("[src=x], [onload]")).to_have_count(2)
    strikes = {f"hostile text {number} ran" for number in (1, 2, 3)}
    defenceless.sees(lambda: strikes <= set(defenceless.trouble))


def is_of_a_form(answer: Response) -> bool:
    """Tell whether an answer is that to a form."""
    return answer.request.method == "POST" or answer.request.is_navigation_request()


@pytest.mark.parametrize("stop", STOPS, ids=str)
def test_hostile_names_are_text_on_every_page(defenceless: Visitor, furniture: Furniture, stop: Stop) -> None:
    stop.opens(defenceless, furniture)
    is_unharmed(defenceless)


def test_a_page_that_changes_shows_hostile_names_as_text_too(defenceless: Visitor, furniture: Furniture) -> None:
    shopper = furniture.shopper
    defenceless.is_customer(shopper.customer_id)
    defenceless.is_live()
    sku = shopper.goods(a=1)
    order_id = shopper.orders({sku: 1})
    expect(defenceless.page.get_by_role("row", name=order_id)).to_contain_text("processing")
    is_unharmed(defenceless)
    defenceless.goes_to(f"/shop/orders/{order_id}")
    defenceless.is_live()
    shopper.delivers(order_id)
    expect(defenceless.heading()).to_contain_text("completed")
    expect(defenceless.page.get_by_role("listitem").filter(has_text=sku)).to_be_visible()
    is_unharmed(defenceless)


def test_a_hostile_customer_is_greeted_by_name(defenceless: Visitor) -> None:
    defenceless.is_customer(HOSTILE)
    expect(defenceless.page.get_by_label("You are customer")).to_have_value(HOSTILE)
    is_unharmed(defenceless)


def test_a_hostile_address_is_an_error_page(defenceless: Visitor) -> None:
    defenceless.excuse("status of 404")
    for path in ("/shop/orders/", "/"):
        defenceless.goes_to(path + HOSTILE.replace("/", "%2F"))
        expect(defenceless.page.get_by_role("alert")).to_be_visible()
        is_unharmed(defenceless)


@pytest.mark.parametrize("role", [role.name for role in ROLES])
def test_every_field_takes_a_hostile_text_as_text(defenceless: Visitor, role: str) -> None:
    defenceless.excuse("status of 4")
    defenceless.is_role(role)
    address = defenceless.page.url
    for number in range(defenceless.page.locator(FIELDS).count()):
        defenceless.page.goto(address)
        field = defenceless.page.locator(FIELDS).nth(number)
        field.evaluate("one => { for (let at = one; at; at = at.parentElement) if ('open' in at) at.open = true; }")
        field.fill(HOSTILE)
        if field.evaluate("one => Boolean(one.form)"):
            with defenceless.page.expect_response(is_of_a_form) as answer:
                # What else the form asks for stays as it is: what is wrong with it is said beside this text.
                field.evaluate("one => { one.form.noValidate = true; one.form.requestSubmit(); }")
            answer.value.finished()
        is_unharmed(defenceless)
    defenceless.page.goto(address)
    is_unharmed(defenceless)
