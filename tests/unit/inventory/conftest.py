"""A running inventory over a store in memory."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from services.common.config import ServiceConfig
from services.inventory.app import create_app
from tests.fakes import FakeClock
from tests.unit.inventory.unreliable_documents import UnreliableDocuments

A, B = "Warehouse A", "Warehouse B"


class Inventory:
    """One process of the service; several may share the documents."""

    def __init__(self, documents: UnreliableDocuments, clock: FakeClock) -> None:
        self.documents, self.clock = documents, clock
        self.http = create_app(ServiceConfig(app_port=3002), documents, clock).test_client()

    def restarted(self) -> "Inventory":
        """Return a process that remembers nothing."""
        return Inventory(self.documents, self.clock)

    def stocked(self, sku: str, **stock: int) -> None:
        """Create a SKU with so many in warehouse `a` and `b`."""
        assert self.http.put(f"/inventory/{sku}", json={"unitPrice": 100}).status_code in (200, 201)
        for letter, quantity in stock.items():
            body = {"warehouse": f"Warehouse {letter.upper()}", "quantity": quantity}
            assert self.http.post(f"/inventory/{sku}/restock", json=body).status_code == 200

    def stock(self, sku: str) -> dict[str, tuple[int, int]]:
        """Return (on hand, reserved) by location."""
        item = self.http.get(f"/inventory/{sku}").get_json()
        return {one["location"]: (one["onHand"], one["reserved"]) for one in item["warehouses"]}

    def reserve(self, order_id: str, **lines: int) -> TestResponse:
        body = [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()]
        return self.http.post("/reservations", json={"orderId": order_id, "lines": body})

    def end(self, how: str, order_id: str, *fulfillments: str) -> TestResponse:
        body: Any = {"fulfillments": list(fulfillments)} if fulfillments else None
        return (
            self.http.post(f"/reservations/{order_id}/{how}", json=body)
            if body
            else self.http.post(f"/reservations/{order_id}/{how}")
        )


@pytest.fixture
def inventory() -> Inventory:
    return Inventory(UnreliableDocuments(), FakeClock())


def parts(answer: TestResponse) -> list[tuple[str, str | None, dict[str, int], str]]:
    """Return an answer's fulfillments as (id, location, quantities, status)."""
    assert answer.status_code == 200, answer.get_json()
    return [
        (one["id"], one["location"], {line["sku"]: line["quantity"] for line in one["items"]}, one["status"])
        for one in answer.get_json()["fulfillments"]
    ]
