"""The client of the sidecar, against a fake sidecar."""

import pytest

from services.common.config import ServiceConfig
from services.common.dapr.sidecar import RefusedError, Sidecar, TransientError
from services.common.identity import Person, Role, acting_for
from services.common.web.base_app import create_base_app
from tests.unit.fake_daprd import FakeDaprd


def test_a_call_goes_to_the_other_service_and_its_object_comes_back(daprd: FakeDaprd) -> None:
    daprd.body = b'{"declined": false}'
    assert daprd.sidecar().invoke("fraud", "POST", "/check", {"charge": 1}) == {"declined": False}
    assert daprd.asked == [("POST", "/v1.0/invoke/fraud/method/check", {"charge": 1})]


def test_an_array_comes_back_as_items(daprd: FakeDaprd) -> None:
    sidecar = daprd.sidecar()
    daprd.body = b"[1, 2]"
    assert sidecar.invoke("inventory", "GET", "inventory") == {"items": [1, 2]}


def test_a_success_without_content_is_transient(daprd: FakeDaprd) -> None:
    daprd.body = b""
    with pytest.raises(TransientError, match="without JSON"):
        daprd.sidecar().invoke("inventory", "POST", "reservations/A1/commit", {})


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_transient_status_raises_a_transient_error(daprd: FakeDaprd, status: int) -> None:
    daprd.status = status
    with pytest.raises(TransientError) as error:
        daprd.sidecar().invoke("fraud", "POST", "check", {})
    assert error.value.service == "fraud"


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_a_permanent_status_raises_a_refused_error_with_its_detail(daprd: FakeDaprd, status: int) -> None:
    daprd.status, daprd.body = status, b'{"detail": "no such thing", "code": "x"}'
    with pytest.raises(RefusedError, match="no such thing") as error:
        daprd.sidecar().invoke("fraud", "POST", "check", {})
    assert (error.value.service, error.value.status, error.value.body["code"]) == ("fraud", status, "x")


def test_a_response_that_is_not_json_is_transient(daprd: FakeDaprd) -> None:
    daprd.body = b"<html>"
    with pytest.raises(TransientError):
        daprd.sidecar().invoke("fraud", "GET", "settings")


def test_an_unreachable_sidecar_is_transient_and_not_healthy() -> None:
    sidecar = Sidecar(ServiceConfig(app_port=1, dapr_http_port=9))
    assert not sidecar.healthy()
    for call in (lambda: sidecar.invoke("fraud", "GET", "settings"), sidecar.metadata):
        with pytest.raises(TransientError):
            call()


def test_health_and_metadata_are_those_of_the_sidecar(daprd: FakeDaprd) -> None:
    sidecar = daprd.sidecar()
    daprd.body = b'{"id": "orderprocessing"}'
    assert sidecar.healthy()
    assert sidecar.metadata() == {"id": "orderprocessing"}
    daprd.status = 500
    assert not sidecar.healthy()


def test_events_are_published_together_and_an_error_is_transient(daprd: FakeDaprd) -> None:
    sidecar = daprd.sidecar()
    daprd.status, daprd.body = 204, b""
    sidecar.publish("orders", "order-events", [{"id": "1"}, {"id": "2"}])
    entries = [
        {"entryId": number, "event": {"id": event}, "contentType": "application/cloudevents+json"}
        for number, event in (("0", "1"), ("1", "2"))
    ]
    assert daprd.asked == [("POST", "/v1.0/publish/bulk/orders/order-events", entries)]
    daprd.status, daprd.body = 500, b'{"failedEntries": [{"entryId": "1", "error": "full"}]}'
    with pytest.raises(TransientError, match="500"):
        sidecar.publish("orders", "order-events", [{"id": "3"}])


def test_a_secret_has_its_entries_and_a_missing_one_is_transient(daprd: FakeDaprd) -> None:
    sidecar = daprd.sidecar()
    daprd.body = b'{"current": "k1"}'
    assert sidecar.secret("vault", "oms keys") == {"current": "k1"}
    assert daprd.asked == [("GET", "/v1.0/secrets/vault/oms%20keys", None)]
    daprd.status, daprd.body = 500, b'{"message": "no such secret"}'
    with pytest.raises(TransientError, match="oms keys"):
        sidecar.secret("vault", "oms keys")


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


def test_a_sidecar_can_be_shut_down(daprd: FakeDaprd) -> None:
    daprd.sidecar().shut_down()
    assert [(method, path) for method, path, _ in daprd.asked] == [("POST", "/v1.0/shutdown")]


def test_a_not_found_response_means_that_the_scheduler_is_available(daprd: FakeDaprd) -> None:
    daprd.status, daprd.body = 500, b'{"message": "rpc error: code = NotFound desc = job not found: none"}'
    assert daprd.sidecar().scheduler_available()
    assert daprd.asked == [("GET", "/v1.0-alpha1/jobs/none", None)]


def test_any_other_response_means_that_the_scheduler_is_unavailable(daprd: FakeDaprd) -> None:
    daprd.status, daprd.body = 500, b'{"message": "the scheduler is not there"}'
    assert not daprd.sidecar().scheduler_available()
    assert not Sidecar(ServiceConfig(app_port=1, dapr_http_port=1, call_timeout=2)).scheduler_available()


def test_a_page_of_a_list_comes_with_the_cursor_of_the_next(daprd: FakeDaprd) -> None:
    daprd.body = b'[{"id": 1}]'
    daprd.headers = {"Link": '<http://127.0.0.1:1/orders?limit=1&cursor=a%2Bb>; rel="next"'}
    assert daprd.sidecar().page("orderprocessing", "orders?limit=1") == ([{"id": 1}], "a+b")
    daprd.headers = {}
    assert daprd.sidecar().page("orderprocessing", "orders") == ([{"id": 1}], None)
    assert daprd.asked[0][1] == "/v1.0/invoke/orderprocessing/method/orders?limit=1"


def test_a_transient_error_has_the_body_of_the_response(daprd: FakeDaprd) -> None:
    daprd.status, daprd.body = 503, b'{"code": "chaos", "detail": "not now"}'
    with pytest.raises(TransientError) as away:
        daprd.sidecar().page("orderprocessing", "orders")
    assert (away.value.status, away.value.body["detail"]) == (503, "not now")
    daprd.body = b"[]"
    with pytest.raises(TransientError) as away:
        daprd.sidecar().page("orderprocessing", "orders")
    assert away.value.body == {}


def test_every_request_to_the_sidecar_has_the_token(daprd: FakeDaprd) -> None:
    sidecar = daprd.sidecar("sesame")
    sidecar.healthy()
    sidecar.invoke("billing", "GET", "ledger")
    sidecar.page("billing", "list")
    assert [shown.get("dapr-api-token") for shown in daprd.shown] == ["sesame"] * 3
    daprd.sidecar().healthy()
    assert "dapr-api-token" not in daprd.shown[-1]


def test_a_call_in_the_name_of_a_person_has_the_person_headers(daprd: FakeDaprd) -> None:
    sidecar = daprd.sidecar()
    with acting_for(Person("Zoë", Role.CUSTOMER)):
        sidecar.invoke("billing", "POST", "charges", {})
    sidecar.invoke("billing", "POST", "charges", {})
    named = [(shown.get("oms-role"), shown.get("oms-person")) for shown in daprd.shown]
    assert named == [("customer", "Zo%C3%AB"), (None, None)]
