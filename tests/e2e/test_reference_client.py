"""Temporal's reference web application works with this API: every request that it sends, every field that it reads."""

from datetime import datetime

import pytest

from tests.e2e.client import Shop
from tests.e2e.polling import eventually
from tests.e2e.reference_client import ROWS_OF_A_PAGE, Json, ReferenceClient

pytestmark = pytest.mark.usefixtures("ends_open_orders")

PACKAGE_1 = ("Vans Old Skool", 1)
STATUSES = {"pending", "processing", "customerActionRequired", "approvalRequired", "completed", "failed", "cancelled"}


@pytest.fixture(scope="module")
def client(shop: Shop) -> ReferenceClient:
    return ReferenceClient(shop.address_of)


def place(client: ReferenceClient, *goods: tuple[str, int]) -> str:
    order = client.package(*goods)
    assert client.new_order(order) == 202
    return str(order["id"])


def sees(client: ReferenceClient, order_id: str, status: str) -> Json:
    """Poll the order page until it shows the status. Return its data."""

    def look() -> Json:
        order = client.order(order_id)
        assert order["status"] == status, order
        return order

    return eventually(look)


def sees_progress(client: ReferenceClient, order_id: str, progress: str) -> Json:
    """Poll the order page until each fulfillment shows the progress. Return its data."""

    def look() -> Json:
        order = client.order(order_id)
        assert order["fulfillments"], order
        assert {one["progress"] for one in order["fulfillments"]} == {progress}, order
        return order

    return eventually(look)


def test_order_is_placed_tracked_and_delivered(client: ReferenceClient) -> None:
    order_id = place(client, PACKAGE_1)
    page = sees_progress(client, order_id, "booked")
    (part,) = page["fulfillments"]
    assert (page["id"], page["customerId"]) == (order_id, "1234")
    assert (part["location"], part["items"]) == ("Warehouse A", [PACKAGE_1])
    payment = {"status": "success", "subTotal": 6000, "tax": 1200, "shipping": 499, "total": 7699}
    assert part["payment"] == payment

    shipment_id = f"{order_id}:1"
    assert {"id": shipment_id, "status": "booked"} in client.shipments()
    assert client.shipment(shipment_id) == {"id": shipment_id, "status": "booked", "items": [PACKAGE_1]}
    for status in ("dispatched", "delivered"):
        assert client.signal_shipment(shipment_id, status) == 202
        assert client.shipment(shipment_id)["status"] == status
        assert sees_progress(client, order_id, status)
    sees(client, order_id, "completed")


def test_load_generator_delivers_its_orders(client: ReferenceClient) -> None:
    order_id = place(client, PACKAGE_1)

    def poll() -> bool:
        for shipment in client.pending_shipments():
            following = {"booked": "dispatched", "dispatched": "delivered"}.get(shipment["status"])
            if following and shipment["id"].startswith(f"{order_id}:"):
                assert client.signal_shipment(shipment["id"], following) == 202
        return client.order(order_id)["status"] == "completed"

    eventually(poll)


def test_repeated_items_of_a_package_add_up(client: ReferenceClient) -> None:
    order_id = place(client, ("Nike Air Force Ones", 2), ("Puma Suede Classic", 1), ("Nike Air Force Ones", 1))
    found = [item for one in sees_progress(client, order_id, "booked")["fulfillments"] for item in one["items"]]
    assert sum(quantity for sku, quantity in found if sku == "Nike Air Force Ones") == 3
    assert sum(quantity for sku, quantity in found if sku == "Puma Suede Classic") == 1


def test_order_with_an_item_out_of_stock_is_amended_or_cancelled(client: ReferenceClient) -> None:
    amended, cancelled = (place(client, PACKAGE_1, ("Adidas UltraBoost", 3)) for _ in range(2))
    for order_id in (amended, cancelled):
        parts = sees(client, order_id, "customerActionRequired")["fulfillments"]
        assert [bool(one["location"]) for one in parts] == [True, False], "without a location: action required"
    assert client.order_action(amended, "amend") == 202
    assert client.order_action(cancelled, "cancel") == 202
    sees(client, cancelled, "cancelled")
    parts = sees(client, amended, "processing")["fulfillments"]
    assert [one["progress"] for one in parts if not one["location"]] == ["cancelled"]


def test_order_of_1000_or_more_shows_that_it_requires_approval(client: ReferenceClient, shop: Shop) -> None:
    order_id = place(client, ("Jordan Air Jordan 1", 3), ("Asics GEL-Kayano", 3), ("Under Armour HOVR Sonic", 3))
    assert sees(client, order_id, "approvalRequired")["fulfillments"]
    shop.approve(order_id, approved=False)
    sees(client, order_id, "cancelled")


def test_list_has_the_form_that_the_page_splits_into_pages_of_50(client: ReferenceClient) -> None:
    mine = [place(client, PACKAGE_1) for _ in range(2)]
    rows = client.orders()
    assert [row["id"] for row in rows][:2] == mine[::-1]
    pages = [rows[first : first + ROWS_OF_A_PAGE] for first in range(0, len(rows), ROWS_OF_A_PAGE)]
    assert all(row["status"] in STATUSES | {"timedOut"} for page in pages for row in page)
    times = [datetime.fromisoformat(row["receivedAt"]) for page in pages for row in page]
    assert times[0] >= times[1]
    for order_id in mine:
        sees_progress(client, order_id, "booked")


def test_store_manager_sets_and_resets_limit_and_maintenance(client: ReferenceClient) -> None:
    assert client.reset() == 200
    assert client.settings() == {"limit": 0, "maintenanceMode": False}
    try:
        assert client.set_limit(100_000_000) == 200
        assert client.settings() == {"limit": 100_000_000, "maintenanceMode": False}
        assert client.toggle_maintenance() == 200
        assert client.settings() == {"limit": 100_000_000, "maintenanceMode": True}
    finally:
        assert client.reset() == 200
    assert client.settings() == {"limit": 0, "maintenanceMode": False}


def test_charts_have_their_data(client: ReferenceClient) -> None:
    found = client.stats()
    assert all(one["workerCount"] >= 1 and one["backlog"] >= 0 for one in found.values()), found
    assert found["order"]["completeRate"] >= 0
