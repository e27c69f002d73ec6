"""Builders for shipping: request bodies, a fake courier with a list of pick-ups, and the service."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from flask.testing import FlaskClient

from services.common.config import ServiceConfig
from services.common.dapr.sidecar import TransientError
from services.common.json_models import GoodsLine
from services.shipping.app import create_app
from tests.fakes import FakeClock, FakeDocuments

REFERENCE = "CR-A1:1"


class FakeCourier:
    """A courier with a diary: the shipments it is going to pick up, as the port promises."""

    def __init__(self) -> None:
        self.diary: set[str] = set()
        self.cancelled: set[str] = set()
        self.reachable = True
        self.after_booking: Callable[[], None] = lambda: None
        self._guard = threading.Lock()

    def book(self, shipment_id: str, items: Sequence[GoodsLine]) -> str:
        with self._guard:
            self._answer()
            if shipment_id not in self.cancelled:
                self.diary.add(shipment_id)
        hook, self.after_booking = self.after_booking, lambda: None
        hook()
        return f"CR-{shipment_id}"

    def cancel(self, shipment_id: str) -> None:
        with self._guard:
            self._answer()
            self.cancelled.add(shipment_id)
            self.diary.discard(shipment_id)

    def _answer(self) -> None:
        if not self.reachable:
            raise TransientError("the courier is down")


class Shipping:
    """The service with everything around it faked."""

    def __init__(self) -> None:
        self.documents, self.clock, self.courier = FakeDocuments(), FakeClock(), FakeCourier()
        self.app = create_app(ServiceConfig(app_port=3004), self.documents, self.clock, courier=self.courier)
        self.client: FlaskClient = self.app.test_client()

    def post(self, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        answer = self.app.test_client().post(path, json=body)
        return answer.status_code, answer.get_json()

    def book(self, **changes: object) -> tuple[int, dict[str, Any]]:
        return self.post("/bookings", booking(**changes))

    def cancel(self, shipment_id: str = "A1:1") -> tuple[int, dict[str, Any]]:
        return self.post(f"/bookings/{shipment_id}/cancel")


def booking(**changes: object) -> dict[str, Any]:
    return {"id": "A1:1", "orderId": "A1", "items": [{"sku": "Vans Old Skool", "quantity": 1}]} | changes
