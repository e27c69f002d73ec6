"""Throttling: floods get a 429; calls of other services and event deliveries never do."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from services.common.auth.access import NO_AUTHENTICATION, Authenticator, guard
from services.common.auth.api_keys import KeyFile, add_key
from services.common.config import ServiceConfig
from services.common.identity import Role
from services.common.server.throttle import _Rate, throttle
from services.common.web.access_rules import SIDECAR, people, services
from services.common.web.base_app import create_base_app

FROM_A_SERVICE = {"dapr-caller-app-id": "orderprocessing"}


RULES = {
    "GET /thing": people(Role.MANAGER),
    "GET /other": people(Role.COURIER),
    "GET /slow": people(),
    "GET /service": services("orderprocessing"),
    "GET /internal/event": SIDECAR,
}


def guarded(authenticator: Authenticator = NO_AUTHENTICATION, waiting: int = 0, **limits: Any) -> Flask:
    app = create_base_app("guarded", lambda: True)
    guard(app, RULES, authenticator)
    for path in ("/thing", "/other", "/service", "/nobody", "/internal/event"):
        app.add_url_rule(path, path, lambda: "done")
    throttle(app, ServiceConfig(app_port=1, **limits), lambda: waiting)
    return app


def ask(app: Flask, path: str = "/thing", **kwargs: Any) -> TestResponse:
    return app.test_client().get(path, **kwargs)


def check_refused(answer: TestResponse, code: str) -> None:
    assert (answer.status_code, answer.content_type) == (429, "application/problem+json")
    assert answer.get_json()["code"] == code
    assert 1 <= int(answer.headers["Retry-After"]) <= 10


def test_a_burst_is_accepted_and_a_flood_rejected() -> None:
    app = guarded(rate_limit=2)
    assert [ask(app).status_code for _ in range(20)] == [200] * 20
    check_refused(ask(app), "rate")


def test_a_flood_of_one_client_does_not_affect_others() -> None:
    app = guarded(rate_limit=1)
    for _ in range(11):
        last = ask(app)
    check_refused(last, "rate")
    assert ask(app, environ_base={"REMOTE_ADDR": "127.0.0.2"}).status_code == 200


@pytest.mark.parametrize("more", [{"headers": FROM_A_SERVICE}, {"path": "/internal/event"}, {"path": "/healthz"}])
def test_service_calls_deliveries_and_probes_are_never_throttled(more: dict[str, Any]) -> None:
    app = guarded(rate_limit=1, request_limit=1, waiting=1)
    assert {ask(app, **more).status_code for _ in range(30)} == {200}
    check_refused(ask(app), "busy")


def test_while_too_many_requests_wait_more_are_rejected() -> None:
    assert ask(guarded(request_limit=5, waiting=4)).status_code == 200
    check_refused(ask(guarded(request_limit=5, waiting=5)), "busy")


def test_requests_that_are_being_answered_count_until_they_are_over() -> None:
    app, inside, go_on = guarded(request_limit=1), threading.Event(), threading.Event()

    def slow() -> str:
        inside.set()
        assert go_on.wait(10)
        return "done"

    app.add_url_rule("/slow", "slow", slow)
    call = threading.Thread(target=ask, args=(app, "/slow"))
    call.start()
    assert inside.wait(10)
    check_refused(ask(app), "busy")
    go_on.set()
    call.join(10)
    assert ask(app).status_code == 200
    assert ask(app, "/nothing").status_code == 404
    assert ask(app).status_code == 200


TOKEN = "the token of the sidecar"


@dataclass(frozen=True)
class ProtectedService:
    """A service with keys that answers one request a second of each address, and somebody who has a key."""

    app: Flask
    key: str

    def statuses(self, times: int, address: str = "127.0.0.1", path: str = "/thing", **headers: str) -> list[int]:
        more = {"environ_base": {"REMOTE_ADDR": address}, "headers": headers}
        return [ask(self.app, path, **more).status_code for _ in range(times)]

    def bearer(self, key: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key if key is None else key}"}


@pytest.fixture
def service(tmp_path: Path) -> ProtectedService:
    path = tmp_path / "keys.json"
    key, _ = add_key(path, "Max", Role.MANAGER)
    app = guarded(Authenticator(TOKEN, KeyFile(path)), rate_limit=1)
    return ProtectedService(app, key)


FLOODS: list[dict[str, str]] = [
    {"Authorization": "Bearer oms_wrong"},
    {},
    {"dapr-api-token": "wrong"},
    {"path": "/internal/event"},
    {"path": "/service"},
    {"path": "/nobody"},
]


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_rejected_requests_is_throttled(service: ProtectedService, flood: dict[str, str]) -> None:
    assert service.statuses(11, **flood)[9:] in ([401, 429], [403, 429])
    headers = {name: value for name, value in flood.items() if name != "path"}
    check_refused(ask(service.app, flood.get("path", "/thing"), headers=headers), "rate")


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_rejected_requests_does_not_affect_valid_keys_at_the_same_address(
    service: ProtectedService, flood: dict[str, str]
) -> None:
    service.statuses(100, **flood)
    assert service.statuses(11, **service.bearer()) == [200] * 10 + [429]
    assert service.statuses(1, "127.0.0.2", **service.bearer()) == [200]


def test_a_flood_of_rejected_requests_does_not_affect_other_addresses(service: ProtectedService) -> None:
    service.statuses(100, **service.bearer("oms_wrong"))
    assert service.statuses(1, "127.0.0.2", **service.bearer("oms_wrong")) == [401]


def test_forbidden_requests_with_a_valid_key_are_counted(service: ProtectedService) -> None:
    assert service.statuses(11, path="/other", **service.bearer()) == [403] * 10 + [429]
    assert service.statuses(1, **service.bearer()) == [200]


def test_calls_of_services_that_are_forbidden_are_not_throttled(service: ProtectedService) -> None:
    call = {"dapr-api-token": TOKEN, "dapr-caller-app-id": "billing"}
    assert service.statuses(30, path="/service", **call) == [403] * 30


def test_probes_are_answered_during_a_flood(service: ProtectedService) -> None:
    service.statuses(100)
    assert service.statuses(20, path="/healthz") == [200] * 20


def test_concurrent_requests_do_not_start_the_same_timer_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    # `limits` starts its timer in two steps: a request between them made the other one fail with a RuntimeError.
    inside = threading.Barrier(2)

    class SlowTimer(threading.Timer):
        def is_alive(self) -> bool:
            alive = super().is_alive()
            with suppress(threading.BrokenBarrierError):
                inside.wait(0.3)
            return alive

    monkeypatch.setattr(threading, "Timer", SlowTimer)
    rate = _Rate(1000)
    with ThreadPoolExecutor(2) as pool:
        for call in [pool.submit(rate.count, "127.0.0.1") for _ in range(2)]:
            call.result()
    assert inside.broken
