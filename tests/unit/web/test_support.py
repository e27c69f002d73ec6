"""The support pages."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from services.web.views.support import format_payload, history_events, step_rows, trace_url
from tests.unit.web.fakes import FakeShop, console, order, problem

SCRIPT = '"><script>alert(1)</script>'
TRACE = "0af7651916cd43dd8448eb211c80319c"
AT = "2026-11-21T10:00:00.000Z"

Json = dict[str, Any]


@pytest.fixture
def shop() -> FakeShop:
    shop = FakeShop()
    shop.on("orderprocessing", "GET", "orders", [])
    shop.on("orderprocessing", "GET", "orders/A1", order("A1", traceId=TRACE))
    shop.on("orderprocessing", "GET", "orders/A1/timeline", [step(1, "Order received"), step(2, "Stock reserved")])
    shop.on("orderprocessing", "GET", "orders/A1/history", [instance("order-A1", event(3, input={"orderId": "A1"}))])
    shop.on("notifications", "GET", "events", [feed_event(1, "Order received")])
    shop.on("billing", "GET", "ledger", ledger())
    return shop


@pytest.fixture
def browser(shop: FakeShop) -> FlaskClient:
    return console(shop)


def line(order_id: str) -> Json:
    return {"id": order_id, "status": "processing", "goodsTotal": 1, "currency": "USD", "receivedAt": AT}


def step(number: int, message: str, **more: Any) -> Json:
    return {"seq": number, "at": AT, "type": "order.step", "message": message, "actor": "system", **more}


def feed_event(number: int, message: str) -> Json:
    return {
        "id": f"A1/{number}",
        "time": AT,
        "type": "order.step",
        "orderId": "A1",
        "message": message,
        "actor": "system",
    }


def event(number: int | None, **more: Any) -> Json:
    nothing = dict.fromkeys(("scheduledId", "fireAt", "input", "result", "failure"))
    return {"id": number, "at": AT, "type": "taskScheduled", "name": "reserve", **nothing, **more}


def instance(name: str, *events: Json, omitted: int = 0, status: str = "RUNNING") -> Json:
    shown = {"instanceId": name, "workflow": "order_workflow", "status": status, "omitted": omitted}
    return {**shown, "events": list(events)}


def ledger(*entries: Json) -> Json:
    return {"orderId": "A1", "currency": "USD", "charged": 7699, "refunded": 0, "entries": list(entries)}


def test_the_first_page_has_a_search_field_and_follows_nothing(shop: FakeShop, browser: FlaskClient) -> None:
    page = browser.get("/support/").text
    assert 'name="q"' in page
    assert "data-follow" not in page
    assert shop.asked == []


def test_an_order_is_found_by_its_id(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders?ids=A1", [line("A1")])
    answer = browser.get("/support/?q=+A1+")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/support/orders/A1")


@pytest.mark.parametrize("name", ["1234", "Zoë | 1||2", "A1,B1", "stats", ".."])
def test_any_other_query_is_a_customer(shop: FakeShop, browser: FlaskClient, name: str) -> None:
    shop.on("orderprocessing", "GET", "orders?ids=A1%2CB1", [line("A1"), line("B1")])
    answer = browser.get("/support/", query_string={"q": name})
    assert answer.status_code == 302
    shop.on("orderprocessing", "GET", "orders", [line("C1")])
    page = browser.get(answer.headers["Location"]).text
    assert "/support/orders/C1" in page
    assert 'data-follow="all"' in page


def test_a_search_without_results_is_shown_as_such(browser: FlaskClient) -> None:
    page = browser.get("/support/?q=unknown", follow_redirects=True).text
    assert "No results" in page
    assert "unknown" in page


def test_older_orders_of_a_customer_are_on_the_next_page(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders?limit=25&customerId=1234", [line(f"A{number}") for number in range(25)])
    shop.cursors["orderprocessing", "orders?limit=25&customerId=1234"] = "more"
    assert "customer=1234&amp;cursor=more" in browser.get("/support/?customer=1234").text
    shop.on("orderprocessing", "GET", "orders?limit=25&cursor=more&customerId=1234", [line("B1")])
    assert "/support/orders/B1" in browser.get("/support/?customer=1234&cursor=more").text


def test_an_order_is_shown_with_all_details(shop: FakeShop, browser: FlaskClient) -> None:
    payment = {"total": 7699, "currency": "USD", "status": "success", "invoiceReference": "INV-1"}
    shipment = {"id": "A1:1", "status": "booked", "courierReference": "CR-1", "updatedAt": AT}
    part = {"id": "A1:1", "location": "Warehouse A", "status": "failed", "reason": "paymentDeclined", "items": []}
    parts = [{**part, "payment": payment, "shipment": shipment}]
    more = {"reason": "shippingUnavailable", "deadline": AT, "traceId": TRACE, "fulfillments": parts}
    shop.on("orderprocessing", "GET", "orders/A1", order("A1", **more))
    charge = {"type": "charge", "fulfillmentId": "A1:1", "amount": 7699, "at": AT, "reference": "CH-1", "reason": None}
    shop.on("billing", "GET", "ledger?orderId=A1", ledger(charge))
    page = browser.get("/support/orders/A1").text
    expected = [
        "A1:1",
        "Warehouse A",
        "paymentDeclined",
        "INV-1",
        "CR-1",
        "shippingUnavailable",
        "CH-1",
        'data-follow="A1"',
    ]
    expected += [
        f'data-until="{AT}"',
        "Stock reserved",
        "Task scheduled",
        "reserve",
        "/shop/orders/A1",
        "?customer=1234",
    ]
    assert [text for text in expected if text not in page] == []


def test_the_trace_is_a_link_to_zipkin(shop: FakeShop, browser: FlaskClient) -> None:
    assert f'href="http://localhost:9411/zipkin/traces/{TRACE}"' in browser.get("/support/orders/A1").text
    elsewhere = console(shop, zipkin_url="http://traces:1/")
    assert f'href="http://traces:1/zipkin/traces/{TRACE}"' in elsewhere.get("/support/orders/A1").text
    shop.on("orderprocessing", "GET", "orders/A1", order("A1", traceId=None))
    assert "not available" in browser.get("/support/orders/A1").text


def test_a_step_that_the_feed_does_not_have_yet_is_marked(browser: FlaskClient) -> None:
    rows = browser.get("/support/orders/A1").text.split('data-key="step-')
    assert ["not yet" in row for row in rows[1:3]] == [False, True]


def test_the_live_part_is_served_alone(browser: FlaskClient) -> None:
    part = browser.get("/support/orders/A1?part=1").text
    assert "Stock reserved" in part
    assert "<html" not in part


@pytest.mark.parametrize(
    ("service", "path", "trouble", "rest"),
    [
        ("orderprocessing", "orders/A1/timeline", "The steps cannot be shown right now", "Order received"),
        ("notifications", "events", "The events cannot be shown right now", "Stock reserved"),
        ("orderprocessing", "orders/A1/history", "The workflow history cannot be shown right now", "Stock reserved"),
        ("billing", "ledger", "The ledger cannot be shown right now", "Task scheduled"),
    ],
)
def test_a_section_that_cannot_be_read_does_not_affect_the_others(
    shop: FakeShop, browser: FlaskClient, service: str, path: str, trouble: str, rest: str
) -> None:
    shop.on(service, "GET", path, problem(503, "unavailable", "it rests"))
    answer = browser.get("/support/orders/A1")
    assert answer.status_code == 200
    assert trouble in answer.text
    assert "it rests (503)" in answer.text
    assert rest in answer.text


def test_an_unknown_order_is_a_404(browser: FlaskClient) -> None:
    assert browser.get("/support/orders/unknown").status_code == 404


def test_a_new_order_has_empty_sections(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders/A1/history", [])
    shop.on("notifications", "GET", "events", [])
    page = browser.get("/support/orders/A1").text
    for text in ("No items have been reserved yet", "has not started yet", "Nothing was charged"):
        assert text in page


def test_a_long_history_says_how_many_events_are_not_shown(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders/A1/history", [instance("order-A1", event(3), omitted=17)])
    assert "The oldest 17 events are not shown" in browser.get("/support/orders/A1").text


def test_markup_is_escaped(shop: FakeShop, browser: FlaskClient) -> None:
    strange = event(3, input={"text": SCRIPT}, result=SCRIPT, name=SCRIPT, failure={"type": SCRIPT, "message": SCRIPT})
    shop.on("orderprocessing", "GET", "orders/A1/history", [instance(SCRIPT, strange, status=SCRIPT)])
    shop.on("orderprocessing", "GET", "orders/A1/timeline", [step(1, SCRIPT, fulfillmentId=SCRIPT)])
    shop.on("orderprocessing", "GET", "orders/A1", order("A1", customerId=SCRIPT, traceId=SCRIPT, reason=SCRIPT))
    for address in ("/support/orders/A1", "/support/?customer=" + SCRIPT.replace('"', "%22")):
        page = browser.get(address).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_steps_and_events_are_matched_by_number() -> None:
    rows = step_rows(
        "A1", [step(1, "one"), step(2, "two")], [feed_event(9, "later"), feed_event(8, "strange"), feed_event(2, "two")]
    )
    assert [(row.number, row.event, row.published) for row in rows] == [
        (1, "A1/1", False),
        (2, "A1/2", True),
        (None, "A1/8", True),
        (None, "A1/9", True),
    ]


def test_without_the_feed_publication_is_unknown() -> None:
    assert [row.published for row in step_rows("A1", [step(1, "one")], None)] == [None]


def test_history_events_are_readable() -> None:
    failed = event(None, type="taskFailed", scheduledId=3, failure={"type": "ValueError", "message": "out of paper"})
    done = event(None, type="timerFired", fireAt=AT, result={"é": [1]})
    first, second = history_events(instance("order-A1", failed, done, omitted=5))
    assert (first.key, first.type, first.about, first.failure) == ("5", "Task failed", 3, "ValueError: out of paper")
    assert (second.due, second.payloads) == (AT, [("Result", '{\n  "é": [\n    1\n  ]\n}')])


RUN = {"worker": "host-1", "workerVersion": "v1", "startedAt": AT, "durationMs": 12, "try": 2}


def test_the_history_names_the_worker_of_each_activity(shop: FakeShop, browser: FlaskClient) -> None:
    ended = event(None, type="taskCompleted", scheduledId=3, run=RUN)
    old = event(None, type="taskCompleted", scheduledId=4, run=None)
    shop.on("orderprocessing", "GET", "orders/A1/history", [instance("order-A1", event(3), ended, old)])
    cells = re.findall(r'data-label="Worker">(.*?)</td>', browser.get("/support/orders/A1").text, re.DOTALL)
    assert [cells[0].strip(), cells[2].strip()] == ["-", "-"]
    assert [part for part in ("host-1", "version v1", "try 2, 12 ms from", AT) if part not in cells[1]] == []


def test_a_truncated_payload_stays_text() -> None:
    assert format_payload('{"a" … (cut, 9999 characters in all)') == '{"a" … (cut, 9999 characters in all)'
    assert (format_payload(0), format_payload(False)) == ("0", "false")


def test_without_a_trace_there_is_no_url() -> None:
    assert trace_url("http://z", None) is None
