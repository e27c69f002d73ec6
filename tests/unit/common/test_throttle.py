"""The door: floods are refused with 429, calls of other services and deliveries never."""

import threading
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from services.common.access import OPEN, SIDECAR, guard, people
from services.common.config import ServiceConfig
from services.common.throttle import throttle
from services.common.web import create_base_app

FROM_A_SERVICE = {"dapr-caller-app-id": "orderprocessing"}


def guarded(waiting: int = 0, **limits: Any) -> Flask:
    app = create_base_app("guarded", lambda: True)
    guard(app, {"GET /thing": people(), "GET /slow": people(), "GET /internal/event": SIDECAR}, OPEN)
    for path in ("/thing", "/internal/event"):
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
