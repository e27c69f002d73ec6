"""Invalid requests and their expected errors."""

import json
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
_ORDER = {"customerId": "c", "items": [{"sku": "apples", "quantity": 1}]}
_TAKEN = {"status": "dispatched"}
_NUL = "\x00"
_FORM = "application/x-www-form-urlencoded"
_CROSS_SITE = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}


@dataclass(frozen=True)
class Bad:
    """An invalid request and its expected status. `names` must occur in the response."""

    status: int
    service: str
    method: str
    path: str
    body: Any = None
    names: tuple[str, ...] = ()
    content_type: str | None = JSON
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> bytes | None:
        """The request body: bytes unchanged, other values as JSON."""
        if self.body is None or isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body).encode()

    def __str__(self) -> str:
        body = (self.data or b"")[:40].decode(errors="replace")
        return f"{self.service} {self.method} {self.path[:50]} {body}"


def _orders(status: int, body: Any, *names: str, **more: Any) -> Bad:
    return Bad(status, "orderprocessing", "POST", "/orders", body, names, **more)


def _list(path: str, *names: str, service: str = "orderprocessing", status: int = 422) -> Bad:
    return Bad(status, service, "GET", path, None, names, None)


_INTAKE = [
    _orders(400, b""),
    _orders(400, b"{"),
    _orders(400, b"[]"),
    _orders(400, b"null"),
    _orders(400, b"\xff\xfe"),
    _orders(400, b'{"total": NaN}'),
    _orders(400, b"[" * 100_000),
    _orders(413, b'{"x": "' + b"a" * 262_144 + b'"}'),
    _orders(400, b"customerId=c", content_type="text/plain"),
    _orders(400, b"customerId=c", content_type=None),
    _orders(415, b"customerId=c", "Content-Type: application/json", content_type=_FORM),
    _orders(403, _ORDER, "crossOrigin", content_type="text/plain", headers=_CROSS_SITE),
    _orders(403, _ORDER, "crossOrigin", content_type=None, headers=_CROSS_SITE),
    _orders(422, {}, "customerId", "items"),
    _orders(422, {"id": "-", "customerId": 7, "items": [], "total": "x"}, "id", "customerId", "items", "total"),
    _orders(422, _ORDER | {"id": "a" * 41}, "id"),
    _orders(422, _ORDER | {"id": "a:1"}, "id"),
    _orders(422, _ORDER | {"customerId": " "}, "customerId"),
    _orders(422, _ORDER | {"customerId": f"a{_NUL}"}, "customerId"),
    _orders(422, _ORDER | {"customerId": "\ud800"}, "customerId"),
    _orders(422, _ORDER | {"items": [{"sku": "apples", "quantity": 0}]}, "items.0.quantity"),
    _orders(422, _ORDER | {"items": [{"sku": "apples", "quantity": 1001}]}, "items.0.quantity"),
    _orders(422, _ORDER | {"items": [{"sku": "apples", "quantity": 1.5}]}, "items.0.quantity"),
    _orders(422, _ORDER | {"items": [{"sku": "apples", "quantity": "1"}]}, "items.0.quantity"),
    _orders(422, _ORDER | {"items": [{"sku": "apples", "quantity": True}]}, "items.0.quantity"),
    _orders(422, _ORDER | {"items": [{"sku": "apples", "quantity": 1}] * 101}, "items"),
    _orders(422, _ORDER | {"items": [f"sku {number}" for number in range(101)]}, "items"),
    _orders(422, _ORDER | {"items": ["apples"] * 1001}, "items"),
    _orders(422, _ORDER | {"items": ["apples", None, 3]}, "items.1", "items.2"),
    _orders(422, _ORDER | {"items": [None, "apples", 3]}, "items.0", "items.2"),
    _orders(422, _ORDER | {"items": "apples"}, "items"),
    _orders(422, _ORDER | {"items": ["no such thing", "apples"]}, "no such thing"),
    _orders(422, _ORDER | {"items": ["../../healthz"]}, "../../healthz"),
    _orders(422, _ORDER | {"total": 3.99}, "total"),
    _orders(422, _ORDER | {"total": 4.001}, "total"),
    _orders(422, b'{"customerId": "c", "items": ["apples"], "total": 1e400}', "total"),
    _orders(422, _ORDER, "Idempotency-Key", headers={"Idempotency-Key": "k" * 256}),
    _orders(422, _ORDER, "Idempotency-Key", headers={"Idempotency-Key": '""'}),
]

_ORDERS = [
    _list("/orders?limit=0", "limit"),
    _list("/orders?limit=1001", "limit"),
    _list("/orders?limit=ten", "limit"),
    _list("/orders?cursor=nonsense", "cursor"),
    _list("/orders?status=lost", "status"),
    _list("/orders?ids=" + ",".join(["x"] * 1001), "ids"),
    _list("/shipments?cursor=e30", "cursor"),
    _list("/shipments/pending?limit=-1", "limit"),
    _list("/orders/nobody", status=404),
    _list("/orders/%00", status=404),
    _list("/orders/..%2f..%2fetc%2fpasswd", status=404),
    _list("/orders/nobody/timeline", status=404),
    _list("/shipments/nobody:1", status=404),
    _list("/shipments/nobody", status=404),
    _list("/no/such/path", status=404),
    Bad(405, "orderprocessing", "DELETE", "/orders"),
    Bad(404, "orderprocessing", "POST", "/orders/nobody/action", {"action": "cancel"}),
    Bad(404, "orderprocessing", "POST", "/orders/nobody/approve", {"approver": "Chris", "approved": True}),
    Bad(404, "orderprocessing", "POST", "/shipments/nobody:1/status", {"status": "dispatched"}),
    Bad(422, "orderprocessing", "POST", "/orders/{order}/action", {"action": "explode"}, ("action",)),
    Bad(422, "orderprocessing", "POST", "/orders/{order}/approve", {"approved": "yes"}, ("approver", "approved")),
    Bad(409, "orderprocessing", "POST", "/orders/{order}/approve", {"approver": "Chris", "approved": True}),
    Bad(409, "orderprocessing", "POST", "/orders/{order}/action", {"action": "amend"}),
    Bad(422, "orderprocessing", "POST", "/shipments/{order}:1/status", {"status": "booked"}, ("status",)),
    Bad(415, "orderprocessing", "POST", "/shipments/{order}:1/status", b"status=dispatched", ("Content-Type",), _FORM),
    Bad(403, "orderprocessing", "POST", "/shipments/{order}:1/status", _TAKEN, (), "text/plain", _CROSS_SITE),
    Bad(409, "orderprocessing", "POST", "/shipments/{order}:1/status", {"status": "delivered"}),
    Bad(404, "orderprocessing", "POST", "/shipments/{order}:2/status", {"status": "delivered"}),
]

_INVENTORY = [
    Bad(404, "inventory", "GET", "/inventory/nothing", None, (), None),
    Bad(400, "inventory", "PUT", "/inventory/apples", b"oops"),
    Bad(422, "inventory", "PUT", "/inventory/apples", {}, ("unitPrice",)),
    Bad(422, "inventory", "PUT", "/inventory/apples", {"unitPrice": 4.5}, ("unitPrice",)),
    Bad(422, "inventory", "PUT", "/inventory/apples", {"unitPrice": -1, "name": ""}, ("unitPrice", "name")),
    Bad(422, "inventory", "PUT", "/inventory/" + "x" * 101, {"unitPrice": 400}, ("sku",)),
    Bad(415, "inventory", "PUT", "/inventory/apples", {"unitPrice": 400}, (), "text/xml"),
    Bad(404, "inventory", "POST", "/inventory/nothing/restock", {"warehouse": "Warehouse A", "quantity": 1}),
    Bad(422, "inventory", "POST", "/inventory/apples/restock", {"warehouse": "Moon", "quantity": 0}, ("warehouse",)),
    Bad(422, "inventory", "POST", "/reservations", {"orderId": "?", "lines": []}, ("orderId", "lines")),
    Bad(422, "inventory", "POST", "/reservations/%20/release", {}, ("orderId",)),
    Bad(422, "inventory", "POST", "/reservations/{order}/commit", {"fulfillments": ["{order}:2"]}),
    Bad(404, "inventory", "GET", "/reservations/nobody", None, (), None),
    Bad(405, "inventory", "DELETE", "/inventory/apples"),
]

_OTHERS = [
    Bad(422, "billing", "POST", "/invoices", {"fulfillmentId": "a:1", "orderId": "b", "items": []}, ("orderId",)),
    Bad(422, "billing", "POST", "/charges", {"amount": -5}, ("amount", "idempotencyKey")),
    Bad(422, "billing", "POST", "/refunds", {}, ("chargeKey",)),
    Bad(400, "billing", "POST", "/refunds", b"}{"),
    _list("/ledger", "orderId", service="billing"),
    _list("/ledger?orderId=%2F", "orderId", service="billing"),
    _list("/invoices/nobody:1", service="billing", status=404),
    Bad(422, "fraud", "POST", "/limit", {"limit": -1}, ("limit",)),
    Bad(422, "fraud", "POST", "/limit", {"limit": "100"}, ("limit",)),
    Bad(422, "fraud", "POST", "/maintenance", {"enabled": "yes"}, ("enabled",)),
    Bad(422, "fraud", "POST", "/check", {"charge": 1.5}, ("customerId", "charge")),
    Bad(415, "fraud", "POST", "/limit", b"limit=5", (), "application/x-www-form-urlencoded"),
    Bad(422, "fraud", "POST", "/check/%20/reverse", {}, ("chargeId",)),
    Bad(405, "fraud", "GET", "/limit", None, (), None),
    Bad(422, "shipping", "POST", "/bookings", {"id": "a", "orderId": "a", "items": [{}]}, ("id", "items.0.sku")),
    Bad(400, "shipping", "POST", "/bookings", b"[1]"),
    Bad(422, "shipping", "POST", "/bookings/nobody/cancel", {}, ("id",)),
    _list("/bookings/nobody:1", service="shipping", status=404),
    Bad(405, "shipping", "GET", "/shipping/activate", None, (), None),
    _list("/events?limit=0&orderId=%2F&cursor=zz", "limit", "orderId", service="notifications"),
    _list("/events?cursor=zz", "cursor", service="notifications"),
    _list("/events/dead?cursor=zz", "cursor", service="notifications"),
    _list("/events/stream?orderId=%20", "orderId", service="notifications"),
    _list("/static/..%2f..%2fapp.py", service="notifications", status=404),
    Bad(405, "notifications", "POST", "/events", {}),
]

BAD_REQUESTS = [*_INTAKE, *_ORDERS, *_INVENTORY, *_OTHERS]
