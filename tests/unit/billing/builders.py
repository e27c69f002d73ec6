"""Builders for billing: request bodies, a fake card network with an account, and the service."""

import threading
from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient

from services.billing.app import BillingConfig, create_app
from services.billing.models import ChargeOutcome
from services.billing.provider import CARD_LIMIT
from services.common.dapr.sidecar import TransientError
from tests.fakes import FakeClock, FakeDocuments

KEY = "charge-A1-1"
TOTAL = 5959  # 4550 goods, 910 tax, 499 shipping


class FakeCardNetwork:
    """A card network with an account: what it took and gave back by key, as the port promises."""

    def __init__(self) -> None:
        self.taken: dict[str, int] = {}
        self.given_back: dict[str, int] = {}
        self.voided: set[str] = set()
        self.reachable = True
        self.after_accepting: Callable[[], None] = lambda: None
        self._guard = threading.Lock()

    @property
    def balance(self) -> int:
        return sum(self.taken.values()) - sum(self.given_back.values())

    def charge(self, key: str, amount: int, currency: str) -> ChargeOutcome:
        with self._guard:
            if not self.reachable:
                raise TransientError("the card network is down")
            if key in self.voided:
                return ChargeOutcome(False, f"CH-{key}", "voidedAtNetwork")
            if amount > CARD_LIMIT:
                return ChargeOutcome(False, f"CH-{key}", "cardDeclined")
            self.taken.setdefault(key, amount)
        hook, self.after_accepting = self.after_accepting, lambda: None
        hook()
        return ChargeOutcome(True, f"CH-{key}")

    def refund(self, reference: str, amount: int, key: str) -> str:
        with self._guard:
            if not self.reachable:
                raise TransientError("the card network is down")
            self.given_back.setdefault(key, amount)
        return f"RF-{key}"

    def void(self, key: str) -> None:
        with self._guard:
            if not self.reachable:
                raise TransientError("the card network is down")
            self.voided.add(key)
            if key in self.taken:
                self.given_back.setdefault(key, self.taken[key])


class Billing:
    """The service with everything around it faked."""

    def __init__(self) -> None:
        self.documents, self.clock, self.network = FakeDocuments(), FakeClock(), FakeCardNetwork()
        self.app = create_app(BillingConfig(app_port=3003), self.documents, self.clock, provider=self.network)
        self.client: FlaskClient = self.app.test_client()

    def post(self, path: str, body: object) -> tuple[int, dict[str, Any]]:
        answer = self.app.test_client().post(path, json=body)
        return answer.status_code, answer.get_json()

    def invoiced(self, **changes: object) -> "Billing":
        assert self.post("/invoices", invoice(**changes))[0] == 200
        return self

    def ledger(self, order_id: str = "A1") -> dict[str, Any]:
        shown: dict[str, Any] = self.client.get("/ledger", query_string={"orderId": order_id}).get_json()
        return shown


def line(sku: str = "Vans Old Skool", quantity: int = 1, unit_price: int = 4550) -> dict[str, Any]:
    return {"sku": sku, "quantity": quantity, "unitPrice": unit_price}


def invoice(**changes: object) -> dict[str, Any]:
    return {"fulfillmentId": "A1:1", "orderId": "A1", "customerId": "1234", "items": [line()]} | changes


def charge(**changes: object) -> dict[str, Any]:
    return {
        "idempotencyKey": KEY,
        "orderId": "A1",
        "fulfillmentId": "A1:1",
        "invoiceReference": "INV-A1-1",
        "amount": TOTAL,
    } | changes


def refund(**changes: object) -> dict[str, Any]:
    return {"orderId": "A1", "fulfillmentId": "A1:1", "chargeKey": KEY} | changes
