"""A running fraud service over a store in memory."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from services.common.config import ServiceConfig
from services.fraud.app import create_app
from tests.fakes import FakeClock
from tests.unit.inventory.unreliable_documents import UnreliableDocuments


class Fraud:
    """One process of the service; several may share the documents."""

    def __init__(self, documents: UnreliableDocuments, clock: FakeClock) -> None:
        self.documents, self.clock = documents, clock
        self.http = create_app(ServiceConfig(app_port=3005), documents, clock).test_client()

    def restarted(self) -> "Fraud":
        """Return a process that remembers nothing."""
        return Fraud(self.documents, self.clock)

    def post(self, path: str, **body: Any) -> TestResponse:
        return self.http.post(path, json=body) if body else self.http.post(path)

    def check(self, charge: int, charge_id: str | None = None, customer: str = "1234") -> TestResponse:
        path = f"/check/{charge_id}" if charge_id else "/check"
        return self.http.post(path, json={"customerId": customer, "charge": charge})

    def declined(self, charge: int, charge_id: str | None = None, customer: str = "1234") -> bool:
        answer = self.check(charge, charge_id, customer)
        assert answer.status_code == 200, answer.get_json()
        assert list(answer.get_json()) == ["declined"]
        return bool(answer.get_json()["declined"])

    def reverse(self, charge_id: str) -> TestResponse:
        return self.http.post(f"/check/{charge_id}/reverse")

    def tally(self, customer: str = "1234") -> int:
        return int(self.http.get(f"/tally/{customer}").get_json()["tally"])


@pytest.fixture
def fraud() -> Fraud:
    return Fraud(UnreliableDocuments(), FakeClock())
