"""The approver's page."""

import pytest
from flask.testing import FlaskClient

from services.common.dapr.sidecar import TransientError
from services.web.views.approvals import approval_case
from tests.unit.web.fakes import FakeShop, console, order, problem

SCRIPT = '"><script>alert(1)</script>'
JSON = {"Accept": "application/json"}
QUERY = "orders?limit=20&status=approvalRequired"


@pytest.fixture
def shop() -> FakeShop:
    shop = FakeShop()
    shop.on("orderprocessing", "GET", "orders", [line("A1")])
    shop.on("orderprocessing", "GET", "orders/A1", waiting("A1"))
    shop.on("orderprocessing", "POST", "orders/A1/approve", order("A1"))
    return shop


@pytest.fixture
def browser(shop: FakeShop) -> FlaskClient:
    return console(shop)


def line(order_id: str, **more: object) -> dict[str, object]:
    received = "2026-11-21T10:00:00.000Z"
    return {
        "id": order_id,
        "status": "approvalRequired",
        "goodsTotal": 128900,
        "currency": "USD",
        "receivedAt": received,
        "customerId": "Riley",
        **more,
    }


def waiting(order_id: str, **more: object) -> dict[str, object]:
    return order(order_id, "approvalRequired", deadline="2026-11-22T10:00:00.000Z", **more)


def part(status: str, sku: str) -> dict[str, object]:
    return {"id": "A1:1", "status": status, "items": [{"sku": sku, "quantity": 2}]}


def test_an_order_is_shown_with_the_facts_to_decide_by(shop: FakeShop, browser: FlaskClient) -> None:
    page = browser.get("/approvals/").text
    for shown in (
        "Riley",
        "Vans Old Skool",
        'value="128900"',
        'data-until="2026-11-22T10:00:00.000Z"',
        "orders/A1",
    ):
        assert shown in page
    assert page.count('name="decision"') == 2
    assert shop.asked[0][2] == QUERY


def test_an_empty_list_is_shown_as_such(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders", [])
    assert "No order is waiting for approval" in browser.get("/approvals/").text


def test_the_list_has_a_link_to_older_orders(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", QUERY, [line(f"A{number}") for number in range(20)])
    shop.cursors["orderprocessing", QUERY] = "older"
    assert "/approvals/?cursor=older" in browser.get("/approvals/").text
    shop.on("orderprocessing", "GET", "orders?limit=20&cursor=older&status=approvalRequired", [])
    shop.on("orderprocessing", "GET", "orders", [])
    assert "No order is waiting" in browser.get("/approvals/?cursor=older").text


def test_an_outdated_line_is_not_shown(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders/A1", order("A1", "processing"))
    assert "No order is waiting for approval" in browser.get("/approvals/").text


def test_an_order_that_cannot_be_read_can_still_be_decided(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders/A1", TransientError("no answer"))
    page = browser.get("/approvals/").text
    assert "cannot be shown right now" in page
    assert page.count('name="decision"') == 2


def test_goods_are_read_once_for_a_live_page(shop: FakeShop, browser: FlaskClient) -> None:
    for _ in range(3):
        browser.get("/approvals/?part=1")
    assert len([path for _, path, _ in shop.calls("GET") if path == "orders/A1"]) == 1


def test_dropped_items_are_marked() -> None:
    parts = [part("pending", "there"), part("cancelled", "gone")]
    goods = approval_case(waiting("A1", fulfillments=parts)).goods
    assert [(line.sku, line.quantity, line.dropped) for line in goods] == [("there", 2, False), ("gone", 2, True)]
    assert [line.sku for line in approval_case(waiting("A1")).goods] == ["Vans Old Skool"]


@pytest.mark.parametrize(("decision", "approved"), [("approve", True), ("reject", False)])
def test_a_decision_is_sent_with_the_name_of_the_approver(
    shop: FakeShop, browser: FlaskClient, decision: str, approved: bool
) -> None:
    assert browser.post("/approvals/name", data={"approver": " Chris é "}).status_code == 303
    answer = browser.post("/approvals/orders/A1", data={"decision": decision})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/approvals/")
    sent = {"approver": "Chris é", "approved": approved}
    assert shop.calls("POST") == [("orderprocessing", "orders/A1/approve", sent)]


def test_a_decision_returns_to_the_same_page_of_the_list(browser: FlaskClient) -> None:
    browser.post("/approvals/name", data={"approver": "Chris"})
    form = {"decision": "approve", "cursor": "older"}
    answer = browser.post("/approvals/orders/A1", data=form, headers=JSON)
    assert answer.get_json() == {"location": "/approvals/?cursor=older", "message": "Order A1 is approved."}


def test_all_errors_of_a_decision_are_reported_together(shop: FakeShop, browser: FlaskClient) -> None:
    answer = browser.post("/approvals/orders/A1", data={"decision": "perhaps"}, headers=JSON)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.get_json()["errors"]] == ["approver", "decision"]
    assert "enter your name" in answer.get_json()["detail"]
    assert shop.calls("POST") == []


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\nb"], ids=repr)
def test_an_invalid_approver_name_is_refused(browser: FlaskClient, name: str) -> None:
    answer = browser.post("/approvals/name", data={"approver": name}, headers=JSON)
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["field"] == "approver"


@pytest.mark.parametrize(
    ("failure", "status", "text"),
    [
        (problem(409, "notAllowed", "the order waits for no approval"), 409, "waits for no approval"),
        (problem(404, "notFound", "there is no such order"), 404, "no such order"),
        (TransientError("no answer"), 503, "is not responding"),
    ],
    ids=str,
)
def test_a_failed_decision_shows_the_error(
    shop: FakeShop, browser: FlaskClient, failure: Exception, status: int, text: str
) -> None:
    browser.post("/approvals/name", data={"approver": "Chris"})
    shop.on("orderprocessing", "POST", "orders/A1/approve", failure)
    answer = browser.post("/approvals/orders/A1", data={"decision": "approve"})
    assert answer.status_code == status
    assert text in answer.text


def test_a_list_that_cannot_be_read_is_an_error_page(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders", TransientError("no answer"))
    assert browser.get("/approvals/").status_code == 503


def test_markup_is_escaped(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders", [line("A1", customerId=SCRIPT)])
    shop.on("orderprocessing", "GET", "orders/A1", waiting("A1", items=[{"sku": SCRIPT, "quantity": 1}]))
    browser.post("/approvals/name", data={"approver": SCRIPT})
    page = browser.get("/approvals/").text
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 3
