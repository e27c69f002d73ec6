"""A customer with separate goods, so that concurrent scenarios do not affect each other."""

import itertools
import threading
import uuid
from collections.abc import Mapping
from typing import Any

from services.common.states import OrderStatus, is_final
from tests.e2e.client import Json, Shop
from tests.e2e.polling import eventually

FINAL = {status for status in OrderStatus if is_final(status)}
_LOCATIONS = {"a": "Warehouse A", "b": "Warehouse B"}


class Shopper:
    """Stocks goods, orders them, and records both for later consistency checks."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.customer_id = f"c-{uuid.uuid4().hex[:10]}"
        self.start: dict[str, dict[str, int]] = {}
        self.prices: dict[str, int] = {}
        self.placed: list[str] = []
        self._numbers = itertools.count(1)
        self._guard = threading.Lock()

    def goods(self, price: int = 1000, **stock: int) -> str:
        """Create an SKU with a price in minor units and stock in warehouses `a` and `b`. Return the SKU."""
        sku = f"{self.customer_id} goods {next(self._numbers)}"
        answer = self.shop.call("inventory", "PUT", f"/inventory/{sku}", {"unitPrice": price})
        assert answer.status_code == 201, answer.text
        for warehouse, quantity in stock.items():
            if quantity:
                body = {"warehouse": _LOCATIONS[warehouse], "quantity": quantity}
                self.shop.post("inventory", f"/inventory/{sku}/restock", body)
        return self.knows(sku)

    def knows(self, sku: str) -> str:
        """Record the price and stock of an existing SKU."""
        item = self.shop.get("inventory", f"/inventory/{sku}")
        self.prices[sku] = item["unitPrice"]
        self.start[sku] = {one["location"]: one["onHand"] for one in item["warehouses"]}
        return sku

    def new_id(self) -> str:
        """Return an id for an order of this customer."""
        return f"{self.customer_id}-{next(self._numbers)}"

    def request(self, quantities: Mapping[str, int], **more: Any) -> Json:
        """Return the body of an order."""
        items = [{"sku": sku, "quantity": quantity} for sku, quantity in quantities.items()]
        return {"customerId": self.customer_id, "items": items, **more}

    def orders(self, quantities: Mapping[str, int], **more: Any) -> str:
        """Place an order and return its id."""
        return self.sends(self.request(quantities, **more))

    def sends(self, body: Json, **options: Any) -> str:
        """Place an order with this body and return its id."""
        order_id = str(self.shop.place(body, **options)["id"])
        with self._guard:
            if order_id not in self.placed:
                self.placed.append(order_id)
        return order_id

    def sees(self, order_id: str, status: str) -> Json:
        """Wait until the order has the status and return it."""

        def look() -> Json:
            order = self.shop.order(order_id)
            hopeless = order["status"] in FINAL and status not in FINAL
            if hopeless or (status in FINAL and order["status"] in FINAL and order["status"] != status):
                raise WrongEndError(f"{order_id} is {order['status']} ({order['reason']}), not {status}")
            assert order["status"] == status, f"{order_id} is {order['status']}, not {status}"
            return order

        return eventually(look)

    def sees_shipments(self, order_id: str, status: str, payment: str = "success") -> list[str]:
        """Wait until every active fulfillment has this shipment status and payment status. Return their ids."""

        def look() -> list[str]:
            parts = [one for one in self.shop.order(order_id)["fulfillments"] or [] if one["status"] == "processing"]
            assert parts, f"{order_id} has no active fulfillment"
            for one in parts:
                found = one["shipment"]["status"], one["payment"]["status"]
                assert found == (status, payment), f"{one['id']} is {found}"
            return [str(one["id"]) for one in parts]

        return eventually(look)

    def delivers(self, order_id: str) -> Json:
        """Dispatch and deliver all booked shipments of the order. Return the final order."""
        for shipment in self.sees_shipments(order_id, "booked"):
            self.shop.report(shipment, "dispatched")
            self.shop.report(shipment, "delivered")
        return self.sees(order_id, "completed")


class WrongEndError(Exception):
    """The order ended with an unexpected status, so waiting is useless."""
