"""A small order system in memory, with the statuses and events that simulated users react to."""

import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from services.common.dapr.sidecar import RefusedError, TransientError
from tests.unit.web.fakes import item

Json = dict[str, Any]

OUT_OF_STOCK = "Adidas Classic"
HIGH_VALUE = "iPhone"
GOODS = [
    item("Vans Old Skool", 6000, 5000),
    item(HIGH_VALUE, 128_900, 5000, "Apple"),
    item(OUT_OF_STOCK, 6000, 0, "Adidas"),
]


class FakeOrders:
    """Accepts orders, each with one parcel, and passes events to `listen`. Calls for which `fails` is true fail."""

    def __init__(self) -> None:
        self.orders: dict[str, Json] = {}
        self.posts: list[str] = []
        self.decisions: list[tuple[str, str]] = []
        self.listen: Callable[[Json], None] = lambda _event: None
        self.fails: Callable[[str, str], bool] = lambda _method, _path: False
        self.loses_answers = 0
        self.refuses_with: int | None = None
        self.stats: Json = {"workerCount": 1, "backlog": 3}
        self._guard = threading.RLock()

    def invoke(
        self, service: str, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Json:
        with self._guard:
            if self.fails(method, path):
                raise TransientError("connection failed")
            match path.split("/"):
                case ["orders"]:
                    return self._place(body)
                case ["orders" | "charge" | "shipments", "stats"]:
                    return self.stats
                case ["orders", order_id]:
                    return self.orders[order_id]
                case ["orders", order_id, _]:
                    return self._decide(self.orders[order_id], body)
                case ["shipments", parcel, _]:
                    return self._report(self.orders[parcel.partition("%3A")[0]], body["status"])
        raise RefusedError(service, 404, {"detail": path})

    def page(self, service: str, path: str) -> tuple[list[Json], str | None]:
        with self._guard:
            if self.fails("GET", path):
                raise TransientError("connection failed")
            if service == "inventory":
                return GOODS, None
            ids = parse_qs(urlsplit(path).query)["ids"][0].split(",")
            return [self.orders[order_id] for order_id in ids if order_id in self.orders], None

    def move(self, order_id: str, status: str) -> None:
        """Set the status of an order and pass on the event."""
        with self._guard:
            self.orders[order_id]["status"] = status
        self.listen({"type": f"order.{status}", "orderId": order_id, "time": "2026-11-21T10:00:01.000Z"})

    def statuses(self) -> list[str]:
        return [order["status"] for order in self.orders.values()]

    def _place(self, body: Json) -> Json:
        self.posts.append(body["id"])
        if self.refuses_with:
            raise RefusedError("orderprocessing", self.refuses_with, {})
        if body["id"] not in self.orders:
            shipment = {"id": f"{body['id']}:1", "status": "pending"}
            self.orders[body["id"]] = {**body, "status": "pending", "fulfillments": [{"shipment": shipment}]}
            self._continue(self.orders[body["id"]])
        if self.loses_answers:
            self.loses_answers -= 1
            raise TransientError("done, but the answer was lost")
        return self.orders[body["id"]]

    def _continue(self, order: Json) -> None:
        skus = {line["sku"] for line in order["items"]}
        if OUT_OF_STOCK in skus and "answer" not in order:
            self.move(order["id"], "customerActionRequired")
        elif HIGH_VALUE in skus and "approved" not in order:
            self.move(order["id"], "approvalRequired")
        else:
            self.move(order["id"], "processing")
            self._ship(order, "booked")

    def _ship(self, order: Json, status: str) -> None:
        order["fulfillments"][0]["shipment"]["status"] = status
        self.listen({"type": f"shipment.{status}", "orderId": order["id"], "fulfillmentId": f"{order['id']}:1"})

    def _decide(self, order: Json, body: Json) -> Json:
        decision = body.get("action") or ("approve" if body["approved"] else "reject")
        self.decisions.append((order["id"], decision))
        if order["status"] in {"completed", "cancelled"}:
            raise RefusedError("orderprocessing", 409, {})
        if decision in {"cancel", "reject"}:
            self.move(order["id"], "cancelled")
        else:
            order["answer" if decision == "amend" else "approved"] = True
            self._continue(order)
        return order

    def _report(self, order: Json, status: str) -> Json:
        if order["status"] != "processing":
            raise RefusedError("orderprocessing", 409, {})
        self._ship(order, status)
        if status == "delivered":
            self.move(order["id"], "completed")
        return order
