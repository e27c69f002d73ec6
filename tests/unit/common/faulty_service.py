"""A service with fault injection, and a random generator with fixed first values."""

import random
from typing import Any

from flask import Response, jsonify, request
from flask.testing import FlaskClient

from services.common.auth.access import NO_AUTHENTICATION, guard
from services.common.faults.injector import FaultInjector
from services.common.faults.wiring import register
from services.common.web.access_rules import services
from services.common.web.base_app import create_base_app
from tests.fakes import FakeDocuments


class FixedRandom(random.Random):
    """A random generator that returns the given values first, then pseudorandom ones."""

    def __init__(self, *drawn: float) -> None:
        super().__init__(7)
        self.drawn = list(drawn)

    def random(self) -> float:
        return self.drawn.pop(0) if self.drawn else super().random()


class Shop:
    """A service with fault injection; a second one over the same documents is a replica, or a restarted process."""

    def __init__(self, documents: FakeDocuments | None = None, *drawn: float, fail_calls: bool = True) -> None:
        self.documents = documents or FakeDocuments()
        self.chaos = FaultInjector(self.documents, FixedRandom(*drawn))
        self.sold = 0
        self.orders: list[tuple[str | None, object]] = []
        self.app = create_base_app("shop", lambda: True)
        guard(self.app, {"POST /sales": services(), "POST /internal/events": services()}, NO_AUTHENTICATION)
        self.died: list[bool] = []
        register(self.app, self.chaos, fail_calls=fail_calls, die=lambda: self.died.append(True))
        self._add_views()
        self.client: FlaskClient = self.app.test_client()

    def _add_views(self) -> None:
        @self.app.post("/sales")
        @self.app.post("/internal/events")
        def _sell() -> Response:
            self.sold += 1
            self.orders.append((request.args.get("to"), request.get_json(silent=True)))
            return jsonify(sold=self.sold)

    def put(self, body: object) -> tuple[int, dict[str, Any]]:
        answer = self.client.put("/chaos", json=body)
        return answer.status_code, answer.get_json()

    def statuses(self, count: int, path: str = "/sales", **headers: str) -> list[int]:
        return [self.client.post(path, headers=headers).status_code for _ in range(count)]
