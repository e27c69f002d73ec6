"""The approver's page."""

import pytest
from flask.testing import FlaskClient

from services.common.dapr.sidecar import TransientError
from services.web.views.approvals import case_of
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


def test_an_order_that_waits_is_shown_with_all_that_one_decides_by(shop: FakeShop, browser: FlaskClient) -> None:
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


def test_nothing_to_decide_is_said(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders", [])
    assert "No order waits for a decision" in browser.get("/approvals/").text


def test_a_short_page_offers_to_look_further_back(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", QUERY, [line(f"A{number}") for number in range(20)])
    shop.cursors["orderprocessing", QUERY] = "older"
    assert "/approvals/?cursor=older" in browser.get("/approvals/").text
    shop.on("orderprocessing", "GET", "orders?limit=20&cursor=older&status=approvalRequired", [])
    shop.on("orderprocessing", "GET", "orders", [])
    assert "No order waits" in browser.get("/approvals/?cursor=older").text


def test_a_line_that_is_behind_its_order_is_not_shown(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders/A1", order("A1", "processing"))
    assert "No order waits for a decision" in browser.get("/approvals/").text


def test_an_order_that_cannot_be_read_can_still_be_decided_about(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders/A1", TransientError("no answer"))
    page = browser.get("/approvals/").text
    assert "cannot be shown right now" in page
    assert page.count('name="decision"') == 2


def test_goods_are_read_once_for_a_page_that_asks_again_and_again(shop: FakeShop, browser: FlaskClient) -> None:
    for _ in range(3):
        browser.get("/approvals/?part=1")
    assert len([path for _, path, _ in shop.calls("GET") if path == "orders/A1"]) == 1


def test_what_is_not_in_stock_is_marked() -> None:
    parts = [part("pending", "there"), part("cancelled", "gone")]
    goods = case_of(waiting("A1", fulfillments=parts)).goods
    assert [(one.sku, one.quantity, one.dropped) for one in goods] == [("there", 2, False), ("gone", 2, True)]
    assert [one.sku for one in case_of(waiting("A1")).goods] == ["Vans Old Skool"]


@pytest.mark.parametrize(("decision", "approved"), [("approve", True), ("reject", False)])
def test_a_decision_is_passed_on_with_the_name_of_who_made_it(
    shop: FakeShop, browser: FlaskClient, decision: str, approved: bool
) -> None:
    assert browser.post("/approvals/name", data={"approver": " Chris é "}).status_code == 303
    answer = browser.post("/approvals/orders/A1", data={"decision": decision})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/approvals/")
    sent = {"approver": "Chris é", "approved": approved}
    assert shop.calls("POST") == [("orderprocessing", "orders/A1/approve", sent)]


def test_after_a_decision_one_is_where_one_was(browser: FlaskClient) -> None:
    browser.post("/approvals/name", data={"approver": "Chris"})
    form = {"decision": "approve", "cursor": "older"}
    answer = browser.post("/approvals/orders/A1", data=form, headers=JSON)
    assert answer.get_json() == {"location": "/approvals/?cursor=older", "message": "Order A1 is approved."}


def test_everything_that_is_wrong_with_a_decision_is_said_at_once(shop: FakeShop, browser: FlaskClient) -> None:
    answer = browser.post("/approvals/orders/A1", data={"decision": "perhaps"}, headers=JSON)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.get_json()["errors"]] == ["approver", "decision"]
    assert "say your name first" in answer.get_json()["detail"]
    assert shop.calls("POST") == []


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\nb"], ids=repr)
def test_nobody_decides_without_a_name(browser: FlaskClient, name: str) -> None:
    answer = browser.post("/approvals/name", data={"approver": name}, headers=JSON)
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["field"] == "approver"


@pytest.mark.parametrize(
    ("failure", "status", "said"),
    [
        (problem(409, "notAllowed", "the order waits for no approval"), 409, "waits for no approval"),
        (problem(404, "notFound", "there is no such order"), 404, "no such order"),
        (TransientError("no answer"), 503, "does not answer right now"),
    ],
    ids=str,
)
def test_a_decision_that_is_not_taken_is_shown_as_what_it_is(
    shop: FakeShop, browser: FlaskClient, failure: Exception, status: int, said: str
) -> None:
    browser.post("/approvals/name", data={"approver": "Chris"})
    shop.on("orderprocessing", "POST", "orders/A1/approve", failure)
    answer = browser.post("/approvals/orders/A1", data={"decision": "approve"})
    assert answer.status_code == status
    assert said in answer.text


def test_a_list_that_cannot_be_read_is_an_error_page(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders", TransientError("no answer"))
    assert browser.get("/approvals/").status_code == 503


def test_foreign_text_is_shown_as_text(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders", [line("A1", customerId=SCRIPT)])
    shop.on("orderprocessing", "GET", "orders/A1", waiting("A1", items=[{"sku": SCRIPT, "quantity": 1}]))
    browser.post("/approvals/name", data={"approver": SCRIPT})
    page = browser.get("/approvals/").text
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 3
