"""A small order system in memory, with the moves that the stream's robots see; its events go to whoever listens."""

import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from services.common.dapr.sidecar import RefusedError, TransientError
from tests.unit.web.fakes import item

Json = dict[str, Any]

SCARCE = "Adidas Classic"
DEAR = "iPhone"
GOODS = [item("Vans Old Skool", 6000, 5000), item(DEAR, 128_900, 5000, "Apple"), item(SCARCE, 6000, 0, "Adidas")]


class FakeOrders:
    """Takes orders, asks, ships, tells `listen`; each order has one parcel. Calls that `fails` names get no answer."""

    def __init__(self) -> None:
        self.orders: dict[str, Json] = {}
        self.posts: list[str] = []
        self.decisions: list[tuple[str, str]] = []
        self.listen: Callable[[Json], None] = lambda _event: None
        self.fails: Callable[[str, str], bool] = lambda _method, _path: False
        self.loses_answers = 0
        self.turns_down: int | None = None
        self.figures: Json = {"workerCount": 1, "backlog": 3}
        self._guard = threading.RLock()

    def invoke(
        self, service: str, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Json:
        with self._guard:
            if self.fails(method, path):
                raise TransientError("nobody answers")
            match path.split("/"):
                case ["orders"]:
                    return self._take(body)
                case ["orders" | "charge" | "shipments", "stats"]:
                    return self.figures
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
                raise TransientError("nobody answers")
            if service == "inventory":
                return GOODS, None
            ids = parse_qs(urlsplit(path).query)["ids"][0].split(",")
            return [self.orders[one] for one in ids if one in self.orders], None

    def move(self, order_id: str, status: str) -> None:
        """Let an order come to a status, and tell of it."""
        with self._guard:
            self.orders[order_id]["status"] = status
        self.listen({"type": f"order.{status}", "orderId": order_id, "time": "2026-11-21T10:00:01.000Z"})

    def statuses(self) -> list[str]:
        return [order["status"] for order in self.orders.values()]

    def _take(self, body: Json) -> Json:
        self.posts.append(body["id"])
        if self.turns_down:
            raise RefusedError("orderprocessing", self.turns_down, {})
        if body["id"] not in self.orders:
            shipment = {"id": f"{body['id']}:1", "status": "pending"}
            self.orders[body["id"]] = {**body, "status": "pending", "fulfillments": [{"shipment": shipment}]}
            self._go_on(self.orders[body["id"]])
        if self.loses_answers:
            self.loses_answers -= 1
            raise TransientError("done, and the answer lost")
        return self.orders[body["id"]]

    def _go_on(self, order: Json) -> None:
        skus = {line["sku"] for line in order["items"]}
        if SCARCE in skus and "answer" not in order:
            self.move(order["id"], "customerActionRequired")
        elif DEAR in skus and "approved" not in order:
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
            self._go_on(order)
        return order

    def _report(self, order: Json, status: str) -> Json:
        if order["status"] != "processing":
            raise RefusedError("orderprocessing", 409, {})
        self._ship(order, status)
        if status == "delivered":
            self.move(order["id"], "completed")
        return order
