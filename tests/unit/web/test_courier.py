"""The courier's page."""

import pytest
from flask.testing import FlaskClient

from services.common.dapr.sidecar import TransientError
from tests.unit.web.fakes import FakeShop, console, order, problem

SCRIPT = '"><script>alert(1)</script>'
JSON = {"Accept": "application/json"}


@pytest.fixture
def shop() -> FakeShop:
    shop = FakeShop()
    lines = [line("C1:1", "booked"), line("C1:2", "dispatched"), line("D1:1", "pending")]
    shop.on("orderprocessing", "GET", "shipments/pending", lines)
    shop.on("orderprocessing", "GET", "orders/C1", order("C1", fulfillments=[part("C1:1"), part("C1:2")]))
    shop.on("orderprocessing", "GET", "orders/D1", order("D1", fulfillments=[part("D1:1", reference=None)]))
    return shop


@pytest.fixture
def browser(shop: FakeShop) -> FlaskClient:
    return console(shop)


def line(shipment_id: str, status: str) -> dict[str, object]:
    order_id = shipment_id.partition(":")[0]
    return {"id": shipment_id, "status": status, "orderId": order_id, "updatedAt": "2026-11-21T10:00:00.000Z"}


def part(shipment_id: str, reference: str | None = "REF-7", sku: str = "Vans Old Skool") -> dict[str, object]:
    return {
        "id": shipment_id,
        "location": "Warehouse A",
        "status": "processing",
        "items": [{"sku": sku, "quantity": 2}],
        "shipment": {"id": shipment_id, "status": "booked", "courierReference": reference, "updatedAt": ""},
    }


def accepted(shop: FakeShop, *shipments: str) -> None:
    for shipment in shipments:
        shop.on("orderprocessing", "POST", f"shipments/{shipment.replace(':', '%3A')}/status", {"id": shipment})


def refused(shop: FakeShop, shipment: str, failure: Exception) -> None:
    shop.on("orderprocessing", "POST", f"shipments/{shipment.replace(':', '%3A')}/status", failure)


def reports(shop: FakeShop) -> list[tuple[str, str]]:
    return sorted((path.replace("%3A", ":"), body["status"]) for _, path, body in shop.calls("POST"))


def test_parcels_are_shown_in_two_groups_with_their_contents(browser: FlaskClient) -> None:
    page = browser.get("/courier/").text
    to_pick_up, in_transit = page.split("In transit", 1)
    assert "Vans Old Skool" in to_pick_up
    assert "from Warehouse A" in to_pick_up
    assert "REF-7" in to_pick_up
    assert 'id="tick-C1:1"' in to_pick_up
    assert 'id="tick-C1:2"' in in_transit


def test_a_parcel_without_a_booking_is_shown_without_a_button(browser: FlaskClient) -> None:
    page = browser.get("/courier/").text
    assert "no courier is booked yet" in page
    assert 'value="D1:1"' not in page


def test_empty_groups_are_shown_as_such(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "shipments/pending", [])
    page = browser.get("/courier/").text
    assert "There are no parcels to pick up." in page
    assert "There are no parcels in transit." in page


def test_parcels_of_an_order_are_read_once_when_all_are_booked(shop: FakeShop, browser: FlaskClient) -> None:
    for _ in range(3):
        browser.get("/courier/?part=1")
    paths = [path for _, path, _ in shop.calls("GET")]
    assert (paths.count("orders/C1"), paths.count("orders/D1")) == (1, 3)


def test_a_parcel_whose_order_cannot_be_read_can_still_be_reported(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "orders/C1", TransientError("no answer"))
    page = browser.get("/courier/").text
    assert page.count("cannot be shown right now") == 2
    assert 'id="tick-C1:1"' in page


def test_a_list_has_a_link_to_older_parcels_and_forms_return_to_the_page(shop: FakeShop, browser: FlaskClient) -> None:
    shop.cursors["orderprocessing", "shipments/pending?limit=25"] = "older"
    assert "/courier/?cursor=older" in browser.get("/courier/").text
    assert 'name="cursor" value="older"' in browser.get("/courier/?cursor=older").text
    accepted(shop, "C1:1")
    answer = browser.post("/courier/dispatched", data={"only": "C1:1", "cursor": "older"})
    assert answer.headers["Location"] == "/courier/?cursor=older"


@pytest.mark.parametrize("report", ["dispatched", "delivered"])
def test_the_button_of_a_row_reports_that_parcel_alone(shop: FakeShop, browser: FlaskClient, report: str) -> None:
    accepted(shop, "C1:1", "C1:2")
    form = {"only": "C1:1", "shipment": ["C1:2"]}
    answer = browser.post(f"/courier/{report}", data=form, headers=JSON)
    assert answer.get_json() == {"location": "/courier/", "message": f"1 parcel {report}."}
    assert reports(shop) == [("shipments/C1:1/status", report)]


def test_several_parcels_are_reported_at_once_each_once(shop: FakeShop, browser: FlaskClient) -> None:
    accepted(shop, "C1:1", "C1:2")
    form = {"shipment": ["C1:1", "C1:2", "C1:1"]}
    answer = browser.post("/courier/dispatched", data=form, headers=JSON)
    assert answer.get_json()["message"] == "2 parcels dispatched."
    assert reports(shop) == [("shipments/C1:1/status", "dispatched"), ("shipments/C1:2/status", "dispatched")]


def test_failed_reports_are_named_with_their_reason(shop: FakeShop, browser: FlaskClient) -> None:
    accepted(shop, "C1:1", "D1:1")
    refused(shop, "C1:2", problem(409, "notAllowed", "it is delivered"))
    form = {"shipment": ["C1:1", "C1:2", "D1:1"]}
    answer = browser.post("/courier/dispatched", data=form, headers=JSON)
    assert answer.status_code == 200
    assert answer.get_json()["message"] == "2 of 3 parcels dispatched. C1:2: it is delivered (409)"


def test_if_all_reports_fail_the_first_problem_decides_the_status(shop: FakeShop, browser: FlaskClient) -> None:
    refused(shop, "C1:1", problem(409, "notAllowed", "it is cancelled"))
    refused(shop, "C1:2", TransientError("no answer"))
    form = {"shipment": ["C1:1", "C1:2"]}
    answer = browser.post("/courier/delivered", data=form, headers=JSON)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "notAllowed")
    assert [error["field"] for error in answer.get_json()["errors"]] == ["C1:1", "C1:2"]
    page = browser.post("/courier/delivered", data=form)
    assert page.status_code == 409
    assert "it is cancelled" in page.text


def test_a_shared_reason_is_shown_once(shop: FakeShop, browser: FlaskClient) -> None:
    for shipment in ("C1:1", "C1:2"):
        refused(shop, shipment, problem(409, "notAllowed", "it is cancelled"))
    answer = browser.post("/courier/delivered", data={"shipment": ["C1:1", "C1:2"]}, headers=JSON)
    assert answer.get_json()["detail"] == "C1:1, C1:2: it is cancelled"


def test_an_outage_is_a_503_with_retry_after(shop: FakeShop, browser: FlaskClient) -> None:
    refused(shop, "C1:1", TransientError("no answer"))
    answer = browser.post("/courier/delivered", data={"shipment": "C1:1"}, headers=JSON)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ({}, ["shipment"]),
        ({"shipment": [f"A{number}:1" for number in range(101)]}, ["shipment"]),
        ({"shipment": ["C1:1", "nonsense", "../C1:1"]}, ["shipment nonsense", "shipment ../C1:1"]),
    ],
    ids=["none", "too many", "no ids"],
)
def test_an_invalid_selection_is_a_422_and_nothing_is_reported(
    shop: FakeShop, browser: FlaskClient, form: dict[str, object], fields: list[str]
) -> None:
    answer = browser.post("/courier/dispatched", data=form, headers=JSON)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.get_json()["errors"]] == fields
    assert shop.calls("POST") == []


def test_other_reports_are_not_found(browser: FlaskClient) -> None:
    assert browser.post("/courier/booked", data={"shipment": "C1:1"}).status_code == 404


def test_a_list_that_cannot_be_read_is_an_error_page(shop: FakeShop, browser: FlaskClient) -> None:
    shop.on("orderprocessing", "GET", "shipments/pending", problem(503, "away", "not now"))
    assert browser.get("/courier/").status_code == 503


def test_markup_is_escaped(shop: FakeShop, browser: FlaskClient) -> None:
    parts = [part("C1:1", reference=SCRIPT, sku=SCRIPT)]
    shop.on("orderprocessing", "GET", "orders/C1", order("C1", fulfillments=parts))
    page = browser.get("/courier/").text
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)") == 2
