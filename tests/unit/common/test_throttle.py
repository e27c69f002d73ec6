"""The authenticator: floods are refused with 429, calls of other services and deliveries never."""

import threading
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
from services.common.server.throttle import throttle
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


def test_a_burst_is_answered_and_a_flood_refused() -> None:
    app = guarded(rate_limit=2)
    assert [ask(app).status_code for _ in range(20)] == [200] * 20
    check_refused(ask(app), "rate")


def test_one_client_that_floods_does_not_shut_others_out() -> None:
    app = guarded(rate_limit=1)
    for _ in range(11):
        last = ask(app)
    check_refused(last, "rate")
    assert ask(app, environ_base={"REMOTE_ADDR": "127.0.0.2"}).status_code == 200


@pytest.mark.parametrize("more", [{"headers": FROM_A_SERVICE}, {"path": "/internal/event"}, {"path": "/healthz"}])
def test_what_keeps_accepted_orders_going_is_never_refused(more: dict[str, Any]) -> None:
    app = guarded(rate_limit=1, request_limit=1, waiting=1)
    assert {ask(app, **more).status_code for _ in range(30)} == {200}
    check_refused(ask(app), "busy")


def test_while_too_many_requests_wait_no_more_are_taken() -> None:
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
class House:
    """A service with keys that answers one request a second of each address, and somebody who has a key."""

    app: Flask
    key: str

    def statuses(self, times: int, address: str = "127.0.0.1", path: str = "/thing", **headers: str) -> list[int]:
        more = {"environ_base": {"REMOTE_ADDR": address}, "headers": headers}
        return [ask(self.app, path, **more).status_code for _ in range(times)]

    def bearer(self, key: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key if key is None else key}"}


@pytest.fixture
def house(tmp_path: Path) -> House:
    path = tmp_path / "keys.json"
    key, _ = add_key(path, "Max", Role.MANAGER)
    app = guarded(Authenticator(TOKEN, KeyFile(path)), rate_limit=1)
    return House(app, key)


FLOODS: list[dict[str, str]] = [
    {"Authorization": "Bearer oms_wrong"},
    {},
    {"dapr-api-token": "wrong"},
    {"path": "/internal/event"},
    {"path": "/service"},
    {"path": "/nobody"},
]


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_what_is_refused_at_the_door_is_refused_as_a_flood(house: House, flood: dict[str, str]) -> None:
    assert house.statuses(11, **flood)[9:] in ([401, 429], [403, 429])
    headers = {name: value for name, value in flood.items() if name != "path"}
    check_refused(ask(house.app, flood.get("path", "/thing"), headers=headers), "rate")


@pytest.mark.parametrize("flood", FLOODS)
def test_a_strangers_flood_takes_nothing_from_those_who_have_a_key_at_the_same_address(
    house: House, flood: dict[str, str]
) -> None:
    house.statuses(100, **flood)
    assert house.statuses(11, **house.bearer()) == [200] * 10 + [429]
    assert house.statuses(1, "127.0.0.2", **house.bearer()) == [200]


def test_a_strangers_flood_takes_nothing_from_strangers_elsewhere(house: House) -> None:
    house.statuses(100, **house.bearer("oms_wrong"))
    assert house.statuses(1, "127.0.0.2", **house.bearer("oms_wrong")) == [401]


def test_who_has_a_key_and_asks_for_what_is_not_his_is_counted_too(house: House) -> None:
    assert house.statuses(11, path="/other", **house.bearer()) == [403] * 10 + [429]
    assert house.statuses(1, **house.bearer()) == [200]


def test_a_call_of_a_service_that_may_not_ask_for_that_is_told_so_however_often(house: House) -> None:
    call = {"dapr-api-token": TOKEN, "dapr-caller-app-id": "billing"}
    assert house.statuses(30, path="/service", **call) == [403] * 30


def test_supervision_hears_of_a_healthy_service_in_every_flood(house: House) -> None:
    house.statuses(100)
    assert house.statuses(20, path="/healthz") == [200] * 20
