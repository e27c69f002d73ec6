"""The customer's pages."""

import re

import pytest
from flask.testing import FlaskClient

from tests.unit.web.fakes import FakeShop, console, item, order, problem

SCRIPT = '"><script>alert(1)</script>'


@pytest.fixture
def shop() -> FakeShop:
    shop = FakeShop()
    shop.on("inventory", "GET", "inventory", [item("Vans Old Skool", 6000, 10_000), item("Adidas Classic", 6000, 0)])
    shop.on("orderprocessing", "GET", "orders", [])
    return shop


@pytest.fixture
def browser(shop: FakeShop) -> FlaskClient:
    return console(shop)


def line(order_id: str, status: str = "processing") -> dict[str, object]:
    return {"id": order_id, "status": status, "goodsTotal": 1, "currency": "USD", "receivedAt": "2026-11-21T10:00:00Z"}


def test_the_shop_offers_examples_and_a_cart_and_has_no_orders_yet(browser: FlaskClient) -> None:
    page = browser.get("/shop/").text
    assert len(re.findall(r'name="order" value="web-[0-9a-f]{12}"', page)) == 21
    assert 'name="quantity:Adidas Classic" value="0"' in page
    assert "No orders yet" in page


def test_the_shop_lists_the_orders_of_the_chosen_customer(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders?limit=25&customerId=1234", [line("A1")])
    shop.on("orderprocessing", "GET", "orders?limit=25&customerId=Ril+ey+%C3%A9", [line("B1")])
    assert "/shop/orders/A1" in browser.get("/shop/").text
    assert browser.post("/shop/customer", data={"customer": " Ril ey é "}).status_code == 303
    page = browser.get("/shop/").text
    assert "/shop/orders/B1" in page
    assert "/shop/orders/A1" not in page


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\nb"], ids=repr)
def test_an_invalid_customer_name_is_refused(browser: FlaskClient, name: str) -> None:
    answer = browser.post("/shop/customer", data={"customer": name}, headers={"Accept": "application/json"})
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["field"] == "customer"


def test_a_search_continues_until_the_page_is_full_or_the_list_ends(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders?limit=25&customerId=1234", [line("A1")])
    shop.cursors["orderprocessing", "orders?limit=25&customerId=1234"] = "more"
    shop.on("orderprocessing", "GET", "orders?limit=24&cursor=more&customerId=1234", [line("A2")])
    page = browser.get("/shop/").text
    assert "A1" in page
    assert "A2" in page
    assert "Older orders" not in page


def test_an_order_is_sent_with_the_id_of_its_form(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "POST", "orders", order("web-1"))
    form = {"order": "web-1", "quantity:Vans Old Skool": "2", "quantity:Adidas Classic": "0"}
    answer = browser.post("/shop/orders", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/shop/orders/web-1")
    sent = {"id": "web-1", "customerId": "1234", "items": [{"sku": "Vans Old Skool", "quantity": 2}]}
    assert shop.calls("POST") == [("orderprocessing", "orders", sent)]


def test_a_script_receives_the_next_location(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "POST", "orders", order("web-1"))
    form = {"order": "web-1", "quantity:Vans Old Skool": "2"}
    answer = browser.post("/shop/orders", data=form, headers={"Accept": "application/json"})
    assert answer.get_json() == {"location": "/shop/orders/web-1", "message": "We have received your order."}


def test_a_refused_order_shows_all_errors(shop: FakeShop, browser: FlaskClient) -> None:
    errors = [{"field": "items.0.sku", "detail": "there is no 'x'"}, {"field": "customerId", "detail": "is too long"}]
    shop.on("orderprocessing", "POST", "orders", problem(422, "invalidField", "two things", errors=errors))
    answer = browser.post("/shop/orders", data={"quantity:x": "1"})
    assert answer.status_code == 422
    assert all(error["detail"].replace("'", "&#39;") in answer.text for error in errors)
    assert "Customer id" in answer.text
    assert browser.post("/shop/orders", data={"quantity:x": "0"}).status_code == 422


def part(number: int, **more: object) -> dict[str, object]:
    return {
        "id": f"A1:{number}",
        "location": "Warehouse A",
        "status": "processing",
        "reason": None,
        "items": [{"sku": "Vans Old Skool", "quantity": 1}],
        "payment": None,
        "shipment": None,
        **more,
    }


def test_an_order_shows_its_parcels_with_invoice_and_progress(shop: FakeShop, browser: FlaskClient) -> None:
    payment = {"subTotal": 6000, "tax": 1200, "shipping": 499, "total": 7699, "currency": "USD"}
    parts = [
        part(1, payment=payment | {"status": "success", "invoiceReference": "INV-1"}, shipment=None),
        part(2, location=None, status="cancelled", reason="notAvailable"),
    ]
    shop.on("orderprocessing", "GET", "orders/A1", order("A1", fulfillments=parts))
    shop.on("orderprocessing", "GET", "orders/A1/timeline", [step("Order received", "customer")])
    page = browser.get("/shop/orders/A1").text
    for shown in ("Warehouse A", "INV-1", 'value="7699"', "Out of stock", "Out of stock.", "We received your order."):
        assert shown in page
    assert page.count('data-state="done"') == 2


def step(message: str, actor: str) -> dict[str, object]:
    return {"seq": 1, "at": "2026-11-21T10:00:00.000Z", "type": "order.received", "message": message, "actor": actor}


def test_the_name_of_the_approver_is_shown(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders/A1", order("A1"))
    actors = ("customer", "system", "courier", "Ada")
    shop.on("orderprocessing", "GET", "orders/A1/timeline", [step("internal", actor) for actor in actors])
    page = browser.get("/shop/orders/A1").text
    assert re.findall(r"\((\w+)\)</span>", page) == ["Ada"]
    assert "internal" not in page


def test_without_any_stock_the_customer_is_not_asked_about_the_rest(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders/A1/timeline", [])
    shop.on("orderprocessing", "GET", "orders/A1", order("A1", "customerActionRequired", actions=["cancel"]))
    page = browser.get("/shop/orders/A1").text
    assert "All items are out of stock" in page
    assert "Some items" not in page


def test_without_the_catalogue_orders_are_still_listed(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders", [line("A1")])
    shop.on("inventory", "GET", "inventory", problem(503, "unavailable", "inventory is away"))
    answer = browser.get("/shop/")
    assert answer.status_code == 200
    assert "/shop/orders/A1" in answer.text
    assert "inventory is away" in answer.text
    assert "No items are in stock" not in answer.text
    assert "cannot be shown" not in browser.get("/shop/?part=1").text


def test_without_the_list_customers_can_still_order(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders", problem(503, "unavailable", "orderprocessing is away"))
    page = browser.get("/shop/").text
    assert "orderprocessing is away" in page
    assert "No orders yet" not in page
    assert 'name="quantity:Vans Old Skool"' in page


def test_the_approval_threshold_is_configurable(shop: FakeShop) -> None:
    assert "needs approval" in console(shop, approval_threshold=6000).get("/shop/").text
    shop.on("inventory", "GET", "inventory", [item("Vans Old Skool", 100, 10_000)])
    assert "needs approval" not in console(shop, approval_threshold=10_000_000).get("/shop/").text


def test_customer_actions_are_shown_with_their_deadline(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders/A1/timeline", [])
    waiting = order("A1", "customerActionRequired", actions=["amend", "cancel"], deadline="2026-11-21T10:00:30.000Z")
    shop.on("orderprocessing", "GET", "orders/A1", waiting)
    page = browser.get("/shop/orders/A1").text
    assert 'value="amend"' in page
    assert 'value="cancel"' in page
    assert 'data-until="2026-11-21T10:00:30.000Z"' in page
    shop.on("orderprocessing", "GET", "orders/A1", order("A1", "completed"))
    assert 'value="cancel"' not in browser.get("/shop/orders/A1").text


@pytest.mark.parametrize("action", ["amend", "cancel"])
def test_the_customers_action_is_passed_on(shop: FakeShop, browser: FlaskClient, action: str) -> None:
    shop.on("orderprocessing", "POST", "orders/A1/action", order("A1"))
    assert browser.post("/shop/orders/A1/action", data={"action": action}).status_code == 303
    assert shop.calls("POST") == [("orderprocessing", "orders/A1/action", {"action": action})]


def test_a_late_action_shows_the_error(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "POST", "orders/A1/action", problem(409, "notAllowed", "it is on its way"))
    answer = browser.post("/shop/orders/A1/action", data={"action": "cancel"})
    assert answer.status_code == 409
    assert "it is on its way" in answer.text


@pytest.mark.parametrize("order_id", ["..", ".", "a%2F..%2Fb", "a%3Fb", "%252e", "a%23"], ids=repr)
def test_an_invalid_id_calls_no_other_service(shop: FakeShop, browser: FlaskClient, order_id: str) -> None:
    answer = browser.get("/shop/orders/" + order_id, headers={"Accept": "text/html"})
    assert answer.status_code in {404, 308}
    assert not shop.asked


def test_an_order_shows_its_cost_before_and_after_the_charge(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders/A1/timeline", [])
    shop.on("orderprocessing", "GET", "orders/A1", order("A1", "pending"))
    page = browser.get("/shop/orders/A1").text
    assert 'Goods as ordered</dt><dd><data class="money" value="6000"' in page
    assert "Tax and shipping are added" in page
    paid = {"subTotal": 6000, "tax": 1200, "shipping": 499, "total": 7699, "currency": "USD", "status": "success"}
    parts = [part(number, payment=paid | {"invoiceReference": "I"}, status="completed") for number in (1, 2)]
    shop.on("orderprocessing", "GET", "orders/A1", order("A1", "completed", fulfillments=parts, completedAt="x"))
    page = browser.get("/shop/orders/A1").text
    assert 'You paid</dt><dd class="fw-bold"><data class="money" value="15398"' in page
    shop.on(
        "orderprocessing", "GET", "orders/A1", order("A1", "cancelled", completedAt="x", reason="customerCancelled")
    )
    assert "Nothing was charged." in browser.get("/shop/orders/A1").text


def test_a_long_retry_is_shown(shop: FakeShop, browser: FlaskClient) -> None:
    begun = {**step("x", "system"), "type": "order.processing", "at": "2026-01-01T10:00:00.000Z"}
    shop.on("orderprocessing", "GET", "orders/A1/timeline", [begun])
    open_payment = {"status": "pending", "total": None}
    parts = [part(1, payment=open_payment, shipment={"status": "pending", "courierReference": None})]
    shop.on("orderprocessing", "GET", "orders/A1", order("A1", fulfillments=parts))
    page = browser.get("/shop/orders/A1").text
    assert re.search(r'data-since="2026-01-01T10:00:00.000Z">We are still processing the payment', page)
    shop.on("orderprocessing", "GET", "orders/A1", order("A1", "pending", receivedAt="2026-01-01T10:00:00.000Z"))
    assert "still reserving the goods" in browser.get("/shop/orders/A1").text


def test_cancelling_needs_confirmation(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders/A1/timeline", [])
    shop.on("orderprocessing", "GET", "orders/A1", order("A1", actions=["cancel"]))
    page = browser.get("/shop/orders/A1").text
    assert re.search(r'<details.*<summary[^>]*>Cancel the order</summary>.*value="cancel".*</details>', page, re.DOTALL)
    assert page.count('value="cancel"') == 1


def test_markup_is_escaped(shop: FakeShop, browser: FlaskClient) -> None:
    parts = [part(1, location=SCRIPT, items=[{"sku": SCRIPT, "quantity": 1}])]
    shop.on("orderprocessing", "GET", "orders/A1", order("A1", customerId=SCRIPT, fulfillments=parts))
    shop.on("orderprocessing", "GET", "orders/A1/timeline", [step(SCRIPT, SCRIPT)])
    shop.on("inventory", "GET", "inventory", [item(SCRIPT, 6000, 10_000)])
    browser.post("/shop/customer", data={"customer": SCRIPT})
    for path in ("/shop/", "/shop/orders/A1"):
        page = browser.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page
