"""Fakes of what the console calls."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask.testing import FlaskClient

from services.common.dapr.sidecar import RefusedError, TransientError
from services.common.identity import NAME_HEADER, outgoing_headers
from services.web.app import WebConfig, create_app
from services.web.live.hub import Hub

Json = dict[str, Any]
Answer = Json | list[Json] | Exception


def problem(status: int, code: str, detail: str, **more: Any) -> Exception:
    """Return the error that the sidecar's client raises when a service answers with a problem."""
    body = {"status": status, "code": code, "detail": detail, **more}
    if status == 503:
        return TransientError(f"the service answered {status}", status, body)
    return RefusedError("the service", status, body)


class FakeShop:
    """The other services: gives configured answers by service, method and path, and records the calls.

    A path is matched with its query first, then without; an answer that is an exception is raised.
    """

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str, str], Answer] = {}
        self.cursors: dict[tuple[str, str], str] = {}
        self.asked: list[tuple[str, str, str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.acting_for: list[str | None] = []
        self.streams: list[list[str] | Exception] = []
        self.followed_with: list[Mapping[str, str]] = []
        self._guard = threading.Lock()

    def on(self, service: str, method: str, path: str, answer: Answer) -> None:
        """Set the answer to a call."""
        self.answers[service, method, path] = answer

    def invoke(
        self, service: str, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Json:
        answer = self._answer(service, method, path, body, headers)
        return answer if isinstance(answer, dict) else {"items": answer}

    def page(self, service: str, path: str) -> tuple[list[Json], str | None]:
        answer = self._answer(service, "GET", path, None, None)
        assert isinstance(answer, list), f"{path} is not a list"
        return answer, self.cursors.get((service, path))

    @contextmanager
    def follow(self, service: str, path: str, headers: Mapping[str, str], timeout: float) -> Iterator[Iterator[str]]:
        self.followed_with.append(dict(headers))
        lines = self.streams.pop(0) if self.streams else TransientError("nothing to follow")
        if isinstance(lines, Exception):
            raise lines
        yield iter(lines)

    def calls(self, method: str) -> list[tuple[str, str, Any]]:
        """Return the calls with this HTTP method: service, path and body."""
        return [(service, path, body) for service, how, path, body in self.asked if how == method]

    def _answer(
        self, service: str, method: str, path: str, body: object, headers: Mapping[str, str] | None
    ) -> Json | list[Json]:
        with self._guard:
            self.asked.append((service, method, path, body))
            self.headers.append(dict(headers or {}))
            self.acting_for.append(outgoing_headers().get(NAME_HEADER))
        for known in (path, path.partition("?")[0]):
            answer = self.answers.get((service, method, known))
            if answer is not None:
                if isinstance(answer, TransientError):
                    answer.service = service
                if isinstance(answer, Exception):
                    raise answer
                return answer
        raise problem(404, "notFound", f"there is no {path!r}")


def console(shop: FakeShop, **settings: Any) -> FlaskClient:
    """Return a browser without JavaScript for a console that calls the fake."""
    config = WebConfig(app_port=3006, **settings)
    return create_app(config, shop, Hub(config.streams())).test_client()


def item(sku: str, price: int, available: int, brand: str = "Vans") -> Json:
    """Return an item of the catalogue with its stock in Warehouse A."""
    stock = {"location": "Warehouse A", "onHand": available, "reserved": 0, "available": available}
    return {"sku": sku, "name": sku, "brand": brand, "unitPrice": price, "currency": "USD", "warehouses": [stock]}


def order(order_id: str, status: str = "processing", **more: Any) -> Json:
    """Return an order as orderprocessing shows it."""
    return {
        "id": order_id,
        "customerId": "1234",
        "receivedAt": "2026-11-21T10:00:00.000Z",
        "updatedAt": "2026-11-21T10:00:01.000Z",
        "completedAt": None,
        "status": status,
        "reason": None,
        "items": [{"sku": "Vans Old Skool", "quantity": 1}],
        "goodsTotal": 6000,
        "currency": "USD",
        "fulfillments": None,
        "actions": [],
        "deadline": None,
        "workflow": {"instanceId": f"order-{order_id}", "status": "RUNNING"},
        **more,
    }
