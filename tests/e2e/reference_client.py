"""The requests of Temporal's reference web application (reference-app-orders-web), exactly as its server sends them.

The pages call only the server of that application, which calls the API with Node's `fetch`: requests have no `Origin`
or `Sec-Fetch-Site`, and a body is a JSON string for which `fetch` sets the content type. The methods have the names of
the application's routes, and return only what its pages read of a response. Recorded with Node 20 against commit
5c09bdb. The application ignores the response to a POST.
"""

import http.client
import itertools
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]

_FETCH = {
    "accept": "*/*",
    "accept-language": "*",
    "sec-fetch-mode": "cors",
    "user-agent": "node",
    "accept-encoding": "gzip, deflate",
}
_STRING = {"content-type": "text/plain;charset=UTF-8"}
_TIMEOUT = 20
ROWS_OF_A_PAGE = 50


class ReferenceClient:
    """The server of the web application, with the API addresses of its four configuration variables."""

    def __init__(self, address_of: Callable[[str], str]) -> None:
        self.order_api_url = self.shipment_api_url = self.billing_api_url = address_of("orderprocessing")
        self.fraud_api_url = address_of("fraud")
        self._numbers = itertools.count(1)

    def package(self, *goods: tuple[str, int]) -> Json:
        """Return an order as created by the page for new orders: its id contains a number and the time."""
        items = [{"sku": sku, "description": f"The {sku}.", "quantity": quantity} for sku, quantity in goods]
        order_id = f"A{next(self._numbers)}-{time.time_ns() // 1_000_000}"
        return {"id": order_id, "customerId": "1234", "items": items}

    def new_order(self, order: Json) -> int:
        """Submit an order; return the status."""
        return self._post(f"{self.order_api_url}/orders", order)

    def orders(self) -> list[Json]:
        """Return the rows of the list of orders."""
        rows = self._get(f"{self.order_api_url}/orders")
        return [{name: row[name] for name in ("id", "receivedAt", "status")} for row in rows]

    def order(self, order_id: str) -> Json:
        """Return the data of the order page."""
        order = self._get(f"{self.order_api_url}/orders/{order_id}")
        parts = [_fulfillment(one) for one in order["fulfillments"] or []]
        return {name: order[name] for name in ("id", "status", "customerId")} | {"fulfillments": parts}

    def order_action(self, order_id: str, action: str) -> int:
        """Press `Amend` or `Cancel`; return the status."""
        return self._post(f"{self.order_api_url}/orders/{order_id}/action", {"action": action})

    def shipments(self) -> list[Json]:
        """Return the rows of the list of shipments."""
        return [_row(one) for one in self._get(f"{self.shipment_api_url}/shipments")]

    def pending_shipments(self) -> list[Json]:
        """Return the shipments that the load generator polls."""
        return [_row(one) for one in self._get(f"{self.shipment_api_url}/shipments/pending")]

    def shipment(self, shipment_id: str) -> Json:
        """Return the data of the shipment page."""
        shipment = self._get(f"{self.shipment_api_url}/shipments/{shipment_id}")
        return _row(shipment) | {"items": _items(shipment)}

    def signal_shipment(self, shipment_id: str, status: str) -> int:
        """Press `Dispatch` or `Deliver`; return the status."""
        return self._post(f"{self.shipment_api_url}/shipments/{shipment_id}/status", {"status": status})

    def settings(self) -> Json:
        """Return the data of the store manager page."""
        found = self._get(f"{self.fraud_api_url}/settings")
        return {name: found[name] for name in ("limit", "maintenanceMode")}

    def set_limit(self, limit: int) -> int:
        """Press `Set Limit`; return the status."""
        return self._post(f"{self.fraud_api_url}/limit", {"limit": limit})

    def toggle_maintenance(self) -> int:
        """Press `Toggle Maintenance Mode`, which only turns it on; return the status."""
        return self._post(f"{self.fraud_api_url}/maintenance")

    def reset(self) -> int:
        """Press `Reset`; return the status."""
        return self._post(f"{self.fraud_api_url}/reset")

    def stats(self) -> dict[str, Json]:
        """Return the data of the charts on the operator page."""
        found = {
            "order": self._get(f"{self.order_api_url}/orders/stats"),
            "shipment": self._get(f"{self.shipment_api_url}/shipments/stats"),
            "charge": self._get(f"{self.billing_api_url}/charge/stats"),
        }
        counts = {kind: {name: one[name] for name in ("workerCount", "backlog")} for kind, one in found.items()}
        counts["order"]["completeRate"] = found["order"]["completeRate"]
        return counts

    def _get(self, url: str) -> Any:
        status, text = _fetch("GET", url)
        assert status == 200, f"GET {url}: {status} {text}"
        return json.loads(text)

    def _post(self, url: str, body: Json | None = None) -> int:
        text = None if body is None else json.dumps(body, separators=(",", ":"), ensure_ascii=False)
        return _fetch("POST", url, text)[0]


def _fetch(method: str, url: str, body: str | None = None) -> tuple[int, str]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=_TIMEOUT)
    headers = {"host": address.netloc, "connection": "keep-alive", **(_STRING if body is not None else {}), **_FETCH}
    data = (body or "").encode()
    if method == "POST":
        headers["content-length"] = str(len(data))
    try:
        connection.putrequest(method, address.path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(data or None)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def _row(shipment: Json) -> Json:
    return {name: shipment[name] for name in ("id", "status")}


def _items(owner: Json) -> list[tuple[str, int]]:
    return [(item["sku"], item["quantity"]) for item in owner["items"]]


def _fulfillment(one: Json) -> Json:
    payment, shipment = one["payment"], one["shipment"]
    amounts = ("status", "subTotal", "tax", "shipping", "total")
    return {
        "location": one["location"],
        "progress": shipment["status"] if shipment else one["status"],
        "items": _items(one),
        "payment": {name: payment[name] for name in amounts} if payment else None,
    }
