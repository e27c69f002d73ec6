"""The whole system in one process without Dapr: the real services behind fakes of sidecar, store and engine."""

from collections.abc import Callable, Sequence
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from services.billing import app as billing
from services.common.config import ServiceConfig
from services.common.dapr.sidecar import RefusedError, TransientError
from services.common.encryption.encryptor import Encryptor
from services.fraud import app as fraud
from services.inventory import app as inventory
from services.orderprocessing.adapters.order_repository import OrderRepository
from services.orderprocessing.api.app import create_app
from services.orderprocessing.composition import create_service
from services.orderprocessing.config import OrderProcessingConfig
from services.orderprocessing.domain.order import Order
from services.orderprocessing.engine.worker.activity_recorder import ActivityRecorder
from services.orderprocessing.engine.worker.worker_identity import WorkerIdentity
from services.orderprocessing.recovery.reconciler import Reconciler
from services.orderprocessing.registry import bound_activities
from services.orderprocessing.worker import create_dependencies
from services.shipping import app as shipping
from tests.driver import Driver
from tests.fakes import FakeClock, FakeDocuments
from tests.points import Points

CUSTOMER = "1234"
WORKER = WorkerIdentity("worker-1", "v1")
AT_A, AT_B, AT_BOTH, OUT_OF_STOCK = "Vans Old Skool", "Asics GEL-Kayano", "New Balance 574", "Adidas Classic"
HIGH_VALUE = "iPhone"
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_MOST_STEPS = 2000


class Shop:
    """The sidecar as the activities use it: calls the four services, and publishes. Parts of it may be down."""

    def __init__(self, apps: dict[str, Flask], points: Points) -> None:
        self._apps, self._points = apps, points
        self.down: set[str] = set()
        self.refusing: set[str] = set()
        self.published: list[dict[str, Any]] = []

    def invoke(self, service: str, method: str, path: str, body: object = None) -> dict[str, Any]:
        place = f"{service} {path.partition('/')[0]}"
        self._points.reach(f"before {place}")
        if service in self.down:
            raise TransientError(f"{service} is down")
        if place in self.refusing:
            raise RefusedError(service, 422, {"detail": "a field is wrong"})
        answer = self.call(service, method, path, body)
        self._points.reach(f"after {place}")
        if answer.status_code in _TRANSIENT:
            raise TransientError(f"{service} answered {answer.status_code}")
        content = answer.get_json()
        if answer.status_code >= 400:
            raise RefusedError(service, answer.status_code, content)
        return content if isinstance(content, dict) else {"items": content}

    def call(self, service: str, method: str, path: str, body: object = None) -> TestResponse:
        return self._apps[service].test_client().open(path, method=method, json=body)

    def publish(self, pubsub: str, topic: str, events: Sequence[dict[str, Any]]) -> None:
        self._points.reach("before publish")
        if "broker" in self.down:
            raise TransientError("the broker is down")
        self.published.extend(events)
        self._points.reach("after publish")


class OwnDocuments(FakeDocuments):
    """The state store of orderprocessing; every write is a point of the story, before and after."""

    def __init__(self, points: Points) -> None:
        super().__init__()
        self._points = points

    def save(self, key: str, data: bytes, etag: str | None, ttl: int | None = None) -> None:
        kind = key.partition("/")[0]
        self._points.reach(f"before write {kind}")
        super().save(key, data, etag, ttl)
        self._points.reach(f"after write {kind}")


class World:
    """One shop with its customers, couriers and approvers."""

    def __init__(self, **config: Any) -> None:
        self.clock, self.points = FakeClock(), Points()
        self.config = OrderProcessingConfig(app_port=3000, **config)
        apps = {
            "inventory": inventory.create_app(ServiceConfig(app_port=1), FakeDocuments(), self.clock),
            "billing": billing.create_app(billing.BillingConfig(app_port=1), FakeDocuments(), self.clock),
            "fraud": fraud.create_app(ServiceConfig(app_port=1), FakeDocuments(), self.clock),
            "shipping": shipping.create_app(ServiceConfig(app_port=1), FakeDocuments(), self.clock),
        }
        self.shop = Shop(apps, self.points)
        self.documents = OwnDocuments(self.points)
        self.driver = Driver(self.clock, self.points, self.config.charge_timeout, self.config.booking_timeout)
        self.restart()
        self.stock_at_start = self.stock()

    def restart(self, completed_steps: Callable[[], int] = lambda: 0) -> None:
        """Start with an empty memory, as a process does after a crash; `completed_steps` counts steps of the engine."""
        self.orders = OrderRepository(self.documents, self.clock)
        self.service = create_service(self.orders, self.shop, self.driver)
        self.app = create_app(self.orders, self.service, self.driver, self.clock)
        self.reconciler = Reconciler(self.orders, self.service, completed_steps)
        self.deps = create_dependencies(self.config, self.orders, self.shop, Encryptor(), self.service)
        self.driver.use(bound_activities(self.deps, ActivityRecorder(WORKER, self.clock)))

    def elsewhere(self) -> FlaskClient:
        """Return another replica of the API: it shares nothing with this one but the state store."""
        orders = OrderRepository(self.documents, self.clock)
        service = create_service(orders, self.shop, self.driver)
        return create_app(orders, service, self.driver, self.clock).test_client()

    # What people do

    def send(self, method: str, path: str, body: object = None, **kwargs: Any) -> TestResponse:
        return self.app.test_client().open(path, method=method, json=body, **kwargs)

    def place(self, *skus: str, order_id: str = "A1", **quantities: int) -> str:
        """Order one of each SKU, or as many as a SKU (with _ for a blank) is given."""
        items = [{"sku": sku, "quantity": 1} for sku in skus]
        items += [{"sku": sku.replace("_", " "), "quantity": quantity} for sku, quantity in quantities.items()]
        answer = self.send("POST", "/orders", {"id": order_id, "customerId": CUSTOMER, "items": items})
        assert answer.status_code == 202, answer.get_json()
        return order_id

    def act(self, action: str, order_id: str = "A1") -> int:
        return self.send("POST", f"/orders/{order_id}/action", {"action": action}).status_code

    def cancel(self, order_id: str = "A1") -> int:
        return self.act("cancel", order_id)

    def approve(self, approved: bool = True, order_id: str = "A1") -> int:
        body = {"approver": "Chris", "approved": approved}
        return self.send("POST", f"/orders/{order_id}/approve", body).status_code

    def report(self, status: str, shipment_id: str = "A1:1") -> int:
        return self.send("POST", f"/shipments/{shipment_id}/status", {"status": status}).status_code

    def settle(self, service: str, path: str, **body: object) -> None:
        """Use a switch of another service."""
        assert self.shop.call(service, "POST", path, body).status_code == 200

    # How a story goes on

    def run(self, seconds: float = 0) -> None:
        self.driver.run(seconds)

    def work(self, order_id: str = "A1") -> bool:
        """Let the courier do the next thing with one shipment of the list, and the engine what follows."""
        self.run()
        for line in self.send("GET", "/shipments/pending").get_json():
            following = {"booked": "dispatched", "dispatched": "delivered"}.get(line["status"])
            if line["orderId"] == order_id and following and self.report(following, line["id"]) == 202:
                self.run()
                return True
        return False

    def finish(self, order_id: str = "A1", courier: bool = True) -> Order:
        """Let time pass and couriers work until the order is over, mending what crashes have left."""
        for _ in range(_MOST_STEPS):
            self.run()
            if self.driver.is_over(order_id) and self.order(order_id).completed_at:
                return self.order(order_id)
            if courier and self.work(order_id):
                continue
            if not self.driver.jump():
                self.run(31)
                self.recover()
        raise AssertionError(f"stuck: {self.order(order_id)}")

    def recover(self) -> int:
        try:
            return self.reconciler.scan(self.clock.now)
        except TransientError:
            return 0

    # What is to be seen

    def order(self, order_id: str = "A1") -> Order:
        return self.orders.require(order_id)

    def shown(self, order_id: str = "A1") -> dict[str, Any]:
        answer = self.send("GET", f"/orders/{order_id}")
        assert answer.status_code == 200
        return dict(answer.get_json())

    def stock(self) -> dict[str, tuple[int, int]]:
        """Return (on hand, reserved) of every SKU."""
        items = self.shop.call("inventory", "GET", "inventory").get_json()
        shelves = {item["sku"]: item["warehouses"] for item in items}
        return {sku: (sum(s["onHand"] for s in at), sum(s["reserved"] for s in at)) for sku, at in shelves.items()}

    def ledger(self, order_id: str = "A1") -> dict[str, Any]:
        return dict(self.shop.call("billing", "GET", f"ledger?orderId={order_id}").get_json())

    def tally(self) -> int:
        return int(self.shop.call("fraud", "GET", f"tally/{CUSTOMER}").get_json()["tally"])

    def booking(self, shipment_id: str = "A1:1") -> str | None:
        """Return the status of a booking, or None."""
        answer = self.shop.call("shipping", "GET", f"bookings/{shipment_id}")
        return answer.get_json()["status"] if answer.status_code == 200 else None
