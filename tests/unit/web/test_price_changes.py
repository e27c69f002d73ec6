"""A price that changes while a page is open: customers pay no other price than they have seen."""

import re

import pytest
from flask.testing import FlaskClient

from services.common.dapr.sidecar import TransientError
from services.web.views.shopping import price_change_message, shown_prices
from tests.unit.web.fakes import FakeShop, console, item, order, problem

JSON = {"Accept": "application/json"}
FORM = {"order": "web-1", "quantity:Vans Old Skool": "2", "price:Vans Old Skool": "6000"}
ANOTHER_TOTAL = problem(422, "invalidField", "total: no", errors=[{"field": "total", "detail": "the goods cost more"}])


@pytest.fixture
def shop() -> FakeShop:
    shop = FakeShop()
    shop.on("inventory", "GET", "inventory", [item("Vans Old Skool", 6500, 10_000), item("Adidas Classic", 6000, 0)])
    shop.on("orderprocessing", "GET", "orders", [])
    shop.on("orderprocessing", "POST", "orders", order("web-1"))
    return shop


@pytest.fixture
def browser(shop: FakeShop) -> FlaskClient:
    return console(shop)


def test_every_form_of_the_shop_sends_the_prices_that_it_shows(browser: FlaskClient) -> None:
    page = browser.get("/shop/").text
    forms = re.findall(r"<form[^>]*/shop/orders.*?</form>", page, re.DOTALL)
    assert len(forms) == 21
    for form in forms:
        assert re.findall(r'name="quantity:([^"]*)"', form) == re.findall(r'name="price:([^"]*)"', form)


def test_an_order_is_sent_with_the_total_that_its_customer_has_seen(shop: FakeShop, browser: FlaskClient) -> None:
    assert browser.post("/shop/orders", data=FORM | {"quantity:milk": "0", "price:milk": "437"}).status_code == 303
    assert shop.calls("POST")[0][2]["total"] == 120.0
    browser.post("/shop/orders", data={"quantity:milk": "3", "price:milk": "437"})
    assert shop.calls("POST")[1][2]["total"] == 13.11


def test_a_form_without_prices_sends_no_total(shop: FakeShop, browser: FlaskClient) -> None:
    for more in ({}, {"price:Vans Old Skool": "much"}):
        form = {"order": "web-1", "quantity:Vans Old Skool": "2", "quantity:milk": "1", "price:milk": "400"}
        assert browser.post("/shop/orders", data=form | more).status_code == 303
        assert "total" not in shop.calls("POST")[-1][2]


@pytest.mark.parametrize("headers", [{}, JSON], ids=["page", "script"])
def test_a_changed_price_is_reported_and_nothing_is_ordered(
    shop: FakeShop, browser: FlaskClient, headers: dict[str, str]
) -> None:
    shop.on("orderprocessing", "POST", "orders", ANOTHER_TOTAL)
    answer = browser.post("/shop/orders", data=FORM, headers=headers)
    assert answer.status_code == 422
    assert "Vans Old Skool now costs 65.00 USD instead of 60.00 USD" in answer.text
    assert "Nothing was ordered" in answer.text
    if headers:
        assert answer.get_json()["code"] == "priceChanged"


def test_an_accepted_order_keeps_its_price(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "POST", "orders", ANOTHER_TOTAL)
    shop.on("orderprocessing", "GET", "orders?ids=web-1", [{"id": "web-1"}])
    answer = browser.post("/shop/orders", data=FORM)
    assert (answer.status_code, answer.location) == (303, "/shop/orders/web-1")


def test_other_refusals_are_passed_on(shop: FakeShop, browser: FlaskClient) -> None:
    errors = [{"field": "items", "detail": "there is no SKU 'x'"}, {"field": "total", "detail": "no"}]
    shop.on("orderprocessing", "POST", "orders", problem(422, "invalidField", "two things", errors=errors))
    assert browser.post("/shop/orders", data=FORM, headers=JSON).get_json()["code"] == "invalidField"


def test_the_catalogue_is_available_alone_for_updates_of_the_page(shop: FakeShop, browser: FlaskClient) -> None:
    part = browser.get("/shop/goods").text
    assert 'name="price:Vans Old Skool" value="6500"' in part
    assert "<html" not in part
    assert "Orders of customer" not in part
    shop.on("inventory", "GET", "inventory", TransientError("no answer"))
    answer = browser.get("/shop/goods")
    assert answer.status_code == 200
    assert "data-incomplete" in answer.text


def test_items_out_of_stock_are_marked_in_the_cart(browser: FlaskClient) -> None:
    cart = browser.get("/shop/").text.partition("data-cart")[2]
    assert cart.count("out of stock") == 1
    assert "out of stock" in cart.partition("Adidas Classic</label>")[2]


def test_the_message_names_the_prices_that_changed() -> None:
    items = [item("a", 100, 1), item("b", 250, 1)]
    assert "b now costs 2.50 USD instead of 2.00 USD." in price_change_message({"a": 100, "b": 200, "gone": 1}, items)
    assert price_change_message({"a": 100}, items).startswith("A price has changed since you opened this page. Nothing")


def test_prices_are_read_for_the_ordered_items() -> None:
    form = {"price:a": "100", "price:b": "-1"}
    assert shown_prices(form, {"a": 1}) == {"a": 100}
    assert shown_prices(form, {"a": 1, "b": 1}) is None
