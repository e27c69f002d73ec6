"""The store manager's page."""

import re

import pytest
from flask.testing import FlaskClient

from services.common.dapr.sidecar import TransientError
from tests.unit.web.fakes import FakeShop, console, item, problem

SCRIPT = '"><script>alert(1)</script>'
JSON = {"Accept": "application/json"}

RESTOCK = {"sku": "Vans Old Skool", "warehouse": "Warehouse A", "quantity": "7", "formKey": "k"}
PRICE = {"sku": "Vans Old Skool", "price": "59.90"}
ITEM = {"sku": "socks", "price": "5", "name": "", "brand": "Warm"}

FORMS = [
    ("/store/restock", RESTOCK, ("inventory", "POST", "inventory/Vans%20Old%20Skool/restock")),
    ("/store/prices", PRICE, ("inventory", "PUT", "inventory/Vans%20Old%20Skool")),
    ("/store/items", ITEM, ("inventory", "PUT", "inventory/socks")),
    ("/store/fraud/limit", {"limit": "1,000.50"}, ("fraud", "POST", "limit")),
    ("/store/fraud/maintenance", {"turn": "on"}, ("fraud", "POST", "maintenance")),
    ("/store/fraud/reset", {}, ("fraud", "POST", "reset")),
    ("/store/shipping", {"turn": "off"}, ("shipping", "POST", "shipping/deactivate")),
    ("/store/shipping", {"turn": "on"}, ("shipping", "POST", "shipping/activate")),
]
EACH_FORM = pytest.mark.parametrize(("path", "form", "call"), FORMS, ids=[f"{path} {form}" for path, form, _ in FORMS])


@pytest.fixture
def shop() -> FakeShop:
    shop = FakeShop()
    shop.on("inventory", "GET", "inventory", [item("Vans Old Skool", 6000, 5_000_000), item("Nike Air", 9000, 0)])
    shop.on("fraud", "GET", "settings", {"limit": 123450, "maintenanceMode": False})
    shop.on("shipping", "GET", "shipping/settings", {"active": True, "maintenanceMode": False})
    shop.on("billing", "GET", "ledger", ledger())
    for _, _, call in FORMS:
        shop.on(*call, {"done": True})
    return shop


@pytest.fixture
def browser(shop: FakeShop) -> FlaskClient:
    return console(shop)


def ledger(*entries: dict[str, object]) -> dict[str, object]:
    return {"orderId": "A1", "currency": "USD", "charged": 7699, "refunded": 699, "entries": list(entries)}


def entry(kind: str, amount: int, reason: str | None = None) -> dict[str, object]:
    at = "2026-11-21T10:00:00.000Z"
    return {"type": kind, "fulfillmentId": "A1:1", "amount": amount, "at": at, "reference": "R-1", "reason": reason}


def test_stock_is_shown_by_warehouse(shop: FakeShop, browser: FlaskClient) -> None:
    odd = item("Nike Air", 9000, 3)
    odd["warehouses"] = [{"location": "Warehouse B", "onHand": 10, "reserved": 7, "available": 3}]
    shop.on("inventory", "GET", "inventory", [item("Vans Old Skool", 6000, 5_000_000), odd])
    page = browser.get("/store/").text
    assert re.findall(r'colspan="3"[^>]*>([^<]*)<', page) == ["Warehouse A", "Warehouse B"]
    rows = re.findall(r"<tr data-key.*?</tr>", page, re.DOTALL)
    assert re.findall(r">([0-9,]+)</data></td>", rows[0])[-6:] == ["5,000,000", "0", "5,000,000", "0", "0", "0"]
    assert re.findall(r">([0-9,]+)</data></td>", rows[1])[-6:] == ["0", "0", "0", "10", "7", "3"]
    assert 'data-text="nike air nike air vans"' in rows[1]


def test_limits_and_switches_are_shown(shop: FakeShop, browser: FlaskClient) -> None:
    page = browser.get("/store/").text
    for shown in ('value="123450"', 'name="limit"', 'value="1234.50"', "Turn maintenance on", "Stop bookings"):
        assert shown in page
    shop.on("fraud", "GET", "settings", {"limit": 0, "maintenanceMode": True})
    shop.on("shipping", "GET", "shipping/settings", {"active": False})
    page = browser.get("/store/").text
    for shown in ("no spending limit", "Turn maintenance off", "Allow bookings"):
        assert shown in page


def test_an_empty_catalogue_is_shown_as_such(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("inventory", "GET", "inventory", [])
    assert "The catalogue is empty." in browser.get("/store/").text


@pytest.mark.parametrize(
    ("away", "hidden", "shown"),
    [
        (("inventory", "inventory"), "5,000,000", ["Turn maintenance on", "Stop bookings", "7699"]),
        (("fraud", "settings"), "Turn maintenance on", ["5,000,000", "Stop bookings", "7699"]),
        (("shipping", "shipping/settings"), "Stop bookings", ["5,000,000", "Turn maintenance on", "7699"]),
        (("billing", "ledger"), "7699", ["5,000,000", "Turn maintenance on", "Stop bookings"]),
    ],
    ids=lambda value: str(value[0]),
)
def test_an_unavailable_service_affects_only_its_own_card(
    shop: FakeShop, browser: FlaskClient, away: tuple[str, str], hidden: str, shown: list[str]
) -> None:
    shop.on(away[0], "GET", away[1], TransientError("no answer"))
    answer = browser.get("/store/?order=A1")
    assert answer.status_code == 200
    assert "is not responding. Try again. (503)" in answer.text
    assert hidden not in answer.text
    assert all(text in answer.text for text in shown)


def test_the_ledger_shows_charges_refunds_and_the_rest(shop: FakeShop, browser: FlaskClient) -> None:
    entries = entry("charge", 7699), entry("refund", 699), entry("charge", 0, "declined")
    shop.on("billing", "GET", "ledger?orderId=A1", ledger(*entries))
    page = browser.get("/store/?order=+A1+").text
    for shown in ('value="7699"', 'value="699"', 'value="7000"', "A1:1", "(declined)"):
        assert shown in page


def test_an_order_without_charges_differs_from_an_invalid_order(shop: FakeShop, browser: FlaskClient) -> None:
    assert "Nothing was charged" in browser.get("/store/?order=A1").text
    errors = [{"field": "orderId", "detail": "has another shape"}]
    shop.on("billing", "GET", "ledger", problem(422, "invalidField", "orderId: has another shape", errors=errors))
    answer = browser.get("/store/?order=%3F")
    assert answer.status_code == 200
    assert "orderId: has another shape (422)" in answer.text


def test_an_unknown_order_differs_from_one_without_charges(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders?ids=A1", [])
    page = browser.get("/store/?order=A1").text
    assert "Order “A1” does not exist." in page
    assert "Nothing was charged" not in page
    shop.on("orderprocessing", "GET", "orders?ids=A1", [{"id": "A1"}])
    assert "Nothing was charged" in browser.get("/store/?order=A1").text


def test_an_amount_may_have_a_decimal_comma(shop: FakeShop, browser: FlaskClient) -> None:
    answer = browser.post("/store/prices", data=PRICE | {"price": "4,50"}, headers=JSON)
    assert answer.get_json()["message"] == "The price of Vans Old Skool is now 4.50 USD."
    assert shop.calls("PUT")[-1][2] == {"unitPrice": 450}


def test_the_ledger_is_read_only_for_a_search(shop: FakeShop, browser: FlaskClient) -> None:
    browser.get("/store/")
    assert not [service for service, _, _ in shop.calls("GET") if service == "billing"]


@EACH_FORM
def test_a_form_is_sent_to_its_service(
    shop: FakeShop, browser: FlaskClient, path: str, form: dict[str, str], call: tuple[str, str, str]
) -> None:
    answer = browser.post(path, data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/store/")
    bodies = {
        "/store/restock": {"warehouse": "Warehouse A", "quantity": 7},
        "/store/prices": {"unitPrice": 5990},
        "/store/items": {"unitPrice": 500, "brand": "Warm"},
        "/store/fraud/limit": {"limit": 100050},
        "/store/fraud/maintenance": {"enabled": True},
    }
    assert shop.asked[-1] == (*call, bodies.get(path, {}))


@EACH_FORM
def test_the_ledger_stays_after_a_form(
    browser: FlaskClient, path: str, form: dict[str, str], call: tuple[str, str, str]
) -> None:
    answer = browser.post(f"{path}?order=A1", data=form, headers=JSON)
    assert answer.get_json()["location"] == "/store/?order=A1"
    assert answer.get_json()["message"].endswith(".")


@EACH_FORM
@pytest.mark.parametrize(
    ("failure", "status"),
    [(problem(422, "invalidField", "no such thing"), 422), (TransientError("no answer"), 503)],
    ids=["refused", "away"],
)
def test_a_failed_form_shows_the_reason(
    shop: FakeShop,
    browser: FlaskClient,
    path: str,
    form: dict[str, str],
    call: tuple[str, str, str],
    failure: Exception,
    status: int,
) -> None:
    shop.on(*call, failure)
    answer = browser.post(path, data=form)
    assert answer.status_code == status
    assert ("no such thing" if status == 422 else "is not responding") in answer.text


@pytest.mark.parametrize(
    ("path", "form", "fields"),
    [
        ("/store/restock", {}, ["sku", "warehouse", "quantity", "formKey"]),
        ("/store/restock", RESTOCK | {"quantity": "0"}, ["quantity"]),
        ("/store/restock", RESTOCK | {"quantity": "1.5"}, ["quantity"]),
        ("/store/restock", RESTOCK | {"quantity": "10000001"}, ["quantity"]),
        ("/store/restock", RESTOCK | {"sku": " ", "warehouse": "x" * 101, "quantity": "-1"}, [*RESTOCK][:3]),
        ("/store/prices", {}, ["sku", "price"]),
        *(("/store/items", ITEM | {"sku": sku}, ["sku"]) for sku in ("a/b", "a?b", "a#b", "a%b", "..")),
        ("/store/prices", PRICE | {"price": "59,90,"}, ["price"]),
        ("/store/prices", PRICE | {"price": "59.999"}, ["price"]),
        ("/store/prices", PRICE | {"price": "0"}, ["price"]),
        ("/store/prices", PRICE | {"price": "100000.01"}, ["price"]),
        ("/store/items", {"name": "x" * 101, "brand": "a\x07b"}, ["sku", "price", "name", "brand"]),
        ("/store/fraud/limit", {"limit": "much"}, ["limit"]),
        ("/store/fraud/limit", {"limit": "-1"}, ["limit"]),
        ("/store/fraud/maintenance", {"turn": "over"}, ["turn"]),
        ("/store/shipping", {}, ["turn"]),
    ],
    ids=str,
)
def test_all_invalid_fields_are_reported_and_nothing_is_sent(
    shop: FakeShop, browser: FlaskClient, path: str, form: dict[str, str], fields: list[str]
) -> None:
    answer = browser.post(path, data=form, headers=JSON)
    assert answer.status_code == 422
    assert sorted(error["field"] for error in answer.get_json()["errors"]) == sorted(fields)
    assert shop.asked == []


def test_errors_name_amounts_in_major_units(browser: FlaskClient) -> None:
    answer = browser.post("/store/prices", data=PRICE | {"price": "100000.01"}, headers=JSON)
    assert answer.get_json()["errors"] == [{"field": "price", "detail": "must be from 0.01 to 100000.00"}]


def test_a_repeated_restock_counts_once_and_a_new_form_counts_again(shop: FakeShop, browser: FlaskClient) -> None:
    keys = []
    for _ in range(2):
        shown = re.search(r'name="formKey" value="([0-9a-f]+)"', browser.get("/store/").text)
        assert shown is not None
        for _ in range(2):
            browser.post("/store/restock", data=RESTOCK | {"formKey": shown[1]})
            keys.append(shop.headers[-1]["Idempotency-Key"])
    assert keys[0] == keys[1]
    assert keys[2] == keys[3]
    assert keys[0] != keys[2]


def test_a_new_item_does_not_replace_one_that_exists(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("inventory", "PUT", "inventory/Nike%20Air", {"sku": "Nike Air"})
    answer = browser.post("/store/items", data={"sku": "Nike Air", "price": "1.00"})
    assert answer.status_code == 409
    assert "the item Nike Air already exists" in answer.text
    assert shop.calls("PUT") == []


def test_a_repeated_new_item_succeeds(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("inventory", "GET", "inventory", [item("socks", 500, 0, brand="Warm")])
    assert browser.post("/store/items", data=ITEM).status_code == 303


def test_markup_is_escaped(shop: FakeShop, browser: FlaskClient) -> None:
    foreign = item(SCRIPT, 1, 1, brand=SCRIPT)
    foreign["warehouses"][0]["location"] = SCRIPT
    shop.on("inventory", "GET", "inventory", [foreign])
    shop.on("billing", "GET", "ledger", ledger(entry("charge", 1, SCRIPT)))
    shop.on("fraud", "GET", "settings", problem(409, "x", SCRIPT))
    page = browser.get("/store/?order=" + SCRIPT.replace('"', "%22")).text
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)") > 8
