"""The client of the sidecar, against a small HTTP server that answers as it is told."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from dapr.clients.grpc._response import BulkPublishResponse, BulkPublishResponseFailedEntry
from dapr.conf import settings
from pydantic import SecretStr

from services.common.config import ServiceConfig
from services.common.persons import Person, Role, acting_for
from services.common.sidecar import RefusedError, Sidecar, TransientError
from services.common.web import create_base_app


class FakeDaprd(ThreadingHTTPServer):
    """Answers every request alike and remembers what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.body = 200, b"{}"
        self.headers: dict[str, str] = {}
        self.cut = 0
        """How many bytes of what it announces it does not send."""
        self.asked: list[tuple[str, str, Any]] = []
        self.shown: list[dict[str, str]] = []

    def sidecar(self, token: str | None = None) -> Sidecar:
        port, told = self.server_address[1], dict[str, Any]()
        if token is not None:
            told = {"dapr_api_token": SecretStr(token), "app_api_token": SecretStr("another")}
        return Sidecar(ServiceConfig(app_port=1, dapr_http_port=port, call_timeout=2, **told))


class _Handler(BaseHTTPRequestHandler):
    server: FakeDaprd

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.shown.append({name.lower(): value for name, value in self.headers.items()})
        self.server.asked.append((self.command, self.path, json.loads(body) if body else None))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body) + self.server.cut))
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.body)

    do_POST = do_GET  # noqa: N815 - the server looks it up by this name

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def daprd() -> Iterator[FakeDaprd]:
    server = FakeDaprd()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


class FakeBroker:
    """The part of Dapr's client that publishes; takes so many events and then fails, or is away."""

    def __init__(self, takes: int) -> None:
        self.takes, self.published = takes, []
        self.is_away = False

    def publish_events(self, pubsub: str, topic: str, data: list[str], data_content_type: str) -> BulkPublishResponse:
        if self.is_away:
            raise RuntimeError("the broker is away")
        taken = data[: self.takes]
        self.published += [(pubsub, topic, json.loads(event), data_content_type) for event in taken]
        failed = [BulkPublishResponseFailedEntry(str(number), "full") for number in range(len(taken), len(data))]
        return BulkPublishResponse(failed_entries=failed)


def test_a_call_goes_to_the_other_service_and_its_object_comes_back(daprd: FakeDaprd) -> None:
    daprd.body = b'{"declined": false}'
    assert daprd.sidecar().invoke("fraud", "POST", "/check", {"charge": 1}) == {"declined": False}
    assert daprd.asked == [("POST", "/v1.0/invoke/fraud/method/check", {"charge": 1})]


def test_an_array_comes_back_as_items(daprd: FakeDaprd) -> None:
    sidecar = daprd.sidecar()
    daprd.body = b"[1, 2]"
    assert sidecar.invoke("inventory", "GET", "inventory") == {"items": [1, 2]}


def test_a_success_without_content_is_none(daprd: FakeDaprd) -> None:
    daprd.body = b""
    with pytest.raises(TransientError, match="without JSON"):
        daprd.sidecar().invoke("inventory", "POST", "reservations/A1/commit", {})


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_an_answer_that_may_change_is_transient(daprd: FakeDaprd, status: int) -> None:
    daprd.status = status
    with pytest.raises(TransientError):
        daprd.sidecar().invoke("fraud", "POST", "check", {})


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_an_answer_that_stays_is_a_refusal_with_its_reason(daprd: FakeDaprd, status: int) -> None:
    daprd.status, daprd.body = status, b'{"detail": "no such thing", "code": "x"}'
    with pytest.raises(RefusedError, match="no such thing") as error:
        daprd.sidecar().invoke("fraud", "POST", "check", {})
    assert (error.value.service, error.value.status, error.value.body["code"]) == ("fraud", status, "x")


def test_an_answer_that_is_not_json_is_transient(daprd: FakeDaprd) -> None:
    daprd.body = b"<html>"
    with pytest.raises(TransientError):
        daprd.sidecar().invoke("fraud", "GET", "settings")


def test_nobody_there_is_transient_and_not_healthy() -> None:
    sidecar = Sidecar(ServiceConfig(app_port=1, dapr_http_port=9))
    assert not sidecar.healthy()
    for call in (lambda: sidecar.invoke("fraud", "GET", "settings"), sidecar.metadata, sidecar.grpc):
        with pytest.raises(TransientError):
            call()


def test_health_and_metadata_are_what_the_sidecar_says(daprd: FakeDaprd) -> None:
    sidecar = daprd.sidecar()
    daprd.body = b'{"id": "orderprocessing"}'
    assert sidecar.healthy()
    assert sidecar.metadata() == {"id": "orderprocessing"}
    daprd.status = 500
    assert not sidecar.healthy()


def test_events_are_published_together_and_an_error_is_transient(daprd: FakeDaprd) -> None:
    sidecar, broker = daprd.sidecar(), FakeBroker(takes=2)
    sidecar._grpc = broker
    sidecar.publish("orders", "order-events", [{"id": "1"}, {"id": "2"}])
    assert broker.published == [
        ("orders", "order-events", {"id": one}, "application/cloudevents+json") for one in ("1", "2")
    ]
    broker.is_away = True
    with pytest.raises(TransientError, match="away"):
        sidecar.publish("orders", "order-events", [{"id": "3"}])


def test_an_event_that_the_broker_did_not_take_with_the_others_is_transient(daprd: FakeDaprd) -> None:
    sidecar = daprd.sidecar()
    sidecar._grpc = FakeBroker(takes=1)
    with pytest.raises(TransientError, match="full"):
        sidecar.publish("orders", "order-events", [{"id": "1"}, {"id": "2"}])


def test_a_service_is_ready_when_it_says_so_and_errors_of_others_are_a_503() -> None:
    ready = [False]
    app = create_base_app("shop", lambda: ready[0])

    @app.get("/broken")
    def _broken() -> str:
        raise TransientError("secret detail")

    client = app.test_client()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    ready[0] = True
    assert client.get("/readyz").status_code == 200
    broken = client.get("/broken")
    assert (broken.status_code, "secret" in broken.text) == (503, False)


def test_a_sidecar_can_be_asked_to_end(daprd: FakeDaprd) -> None:
    daprd.sidecar().shut_down()
    assert [(method, path) for method, path, _ in daprd.asked] == [("POST", "/v1.0/shutdown")]


def test_a_scheduler_that_knows_no_such_job_is_there(daprd: FakeDaprd) -> None:
    daprd.status, daprd.body = 500, b'{"message": "rpc error: code = NotFound desc = job not found: none"}'
    assert daprd.sidecar().schedules()
    assert daprd.asked == [("GET", "/v1.0-alpha1/jobs/none", None)]


def test_a_sidecar_that_says_anything_else_of_the_scheduler_or_nothing_has_none(daprd: FakeDaprd) -> None:
    daprd.status, daprd.body = 500, b'{"message": "the scheduler is not there"}'
    assert not daprd.sidecar().schedules()
    assert not Sidecar(ServiceConfig(app_port=1, dapr_http_port=1, call_timeout=2)).schedules()


def test_a_page_of_a_list_comes_with_the_cursor_of_the_next(daprd: FakeDaprd) -> None:
    daprd.body = b'[{"id": 1}]'
    daprd.headers = {"Link": '<http://127.0.0.1:1/orders?limit=1&cursor=a%2Bb>; rel="next"'}
    assert daprd.sidecar().page("orderprocessing", "orders?limit=1") == ([{"id": 1}], "a+b")
    daprd.headers = {}
    assert daprd.sidecar().page("orderprocessing", "orders") == ([{"id": 1}], None)
    assert daprd.asked[0][1] == "/v1.0/invoke/orderprocessing/method/orders?limit=1"


def test_what_is_not_possible_now_says_why_as_the_service_did(daprd: FakeDaprd) -> None:
    daprd.status, daprd.body = 503, b'{"code": "chaos", "detail": "not now"}'
    with pytest.raises(TransientError) as away:
        daprd.sidecar().page("orderprocessing", "orders")
    assert (away.value.status, away.value.body["detail"]) == (503, "not now")
    daprd.body = b"[]"
    with pytest.raises(TransientError) as away:
        daprd.sidecar().page("orderprocessing", "orders")
    assert away.value.body == {}


def test_a_stream_is_lent_line_by_line_and_its_break_is_known(daprd: FakeDaprd) -> None:
    daprd.body = b"id: 1\ndata: \xc3\xa9\n\n"
    read: list[str] = []

    def read_all() -> None:
        with daprd.sidecar().follow("notifications", "events/stream", {"Last-Event-ID": "x"}, 2) as lines:
            read.extend(lines)

    read_all()
    assert read == ["id: 1", "data: é", ""]
    daprd.cut = 3
    with pytest.raises(TransientError, match="broke"):
        read_all()
    daprd.status = 503
    with pytest.raises(TransientError, match="503"):
        read_all()
    daprd.server_close()
    with pytest.raises(TransientError):
        read_all()


def test_every_request_shows_the_sidecar_the_token_and_the_sdk_knows_it(daprd: FakeDaprd) -> None:
    sidecar = daprd.sidecar("sesame")
    sidecar.healthy()
    sidecar.invoke("billing", "GET", "ledger")
    sidecar.page("billing", "list")
    with sidecar.follow("notifications", "events/stream", {}, 1) as lines:
        list(lines)
    assert [shown.get("dapr-api-token") for shown in daprd.shown] == ["sesame"] * 4
    assert settings.DAPR_API_TOKEN == "sesame"
    daprd.sidecar().healthy()
    assert "dapr-api-token" not in daprd.shown[-1]
    assert settings.DAPR_API_TOKEN is None


def test_a_call_in_the_name_of_a_person_says_so(daprd: FakeDaprd) -> None:
    sidecar = daprd.sidecar()
    with acting_for(Person("Zoë", Role.CUSTOMER)):
        sidecar.invoke("billing", "POST", "charges", {})
    sidecar.invoke("billing", "POST", "charges", {})
    named = [(shown.get("oms-role"), shown.get("oms-person")) for shown in daprd.shown]
    assert named == [("customer", "Zo%C3%AB"), (None, None)]
