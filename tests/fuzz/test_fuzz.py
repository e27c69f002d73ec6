"""Fuzzing: valid and invalid requests get the documented responses."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import schemathesis
from flask import Flask, Response, jsonify, request

from services.common.json_models import Json, Request
from services.common.web import openapi, problems
from tests.e2e.groups import System
from tests.e2e.launch import make_stack, running
from tests.e2e.polling import holds
from tests.e2e.shopper import Shopper
from tests.e2e.test_bad_requests import visible_state
from tests.fuzz.fuzzing import Findings, fuzz, settings
from tests.fuzz.live import BRIEF, fuzz_service
from tests.fuzz.system import PORT_OFFSET, assert_system_works_and_logs_no_error, reset_switches
from tests.fuzz.watched import Watched
from tests.services import make, names

SEED = 20261121
CALLED_BY_OTHERS = ("billing", "fraud", "inventory", "shipping")
FROM_SIDECAR = {"dapr-api-token": "what the two share"}
IN_MAINTENANCE = {"fraud": "/maintenance", "shipping": "/shipping/deactivate"}


def fuzz_behind_fakes(app: Any, examples: int, headers: Mapping[str, str] | None = None) -> Findings:
    config = settings(examples, SEED, headers=headers)
    return fuzz(schemathesis.openapi.from_wsgi("/openapi.json", app, config=config))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", names())
def test_responses_are_as_documented_and_rejected_requests_change_nothing(name: str) -> None:
    app = Watched(*make(name))
    findings = fuzz_behind_fakes(app, examples=20)
    assert not findings.wrong, findings
    assert app.wrote_despite_rejection == []
    assert findings.requests > 150


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", IN_MAINTENANCE)
def test_responses_are_as_documented_in_maintenance(name: str) -> None:
    app, *rest = make(name)
    app.test_client().post(IN_MAINTENANCE[name])
    findings = fuzz_behind_fakes(Watched(app, *rest), examples=10)
    assert not findings.wrong, findings
    assert findings.answers[503] > 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", CALLED_BY_OTHERS)
@pytest.mark.parametrize(
    ("headers", "answered"),
    [({}, 401), (FROM_SIDECAR, 403), (FROM_SIDECAR | {"dapr-caller-app-id": "orderprocessing"}, 200)],
    ids=["anonymous", "own sidecar", "another service"],
)
def test_responses_are_as_documented_with_authentication(name: str, headers: dict[str, str], answered: int) -> None:
    app = Watched(*make(name, app_api_token=FROM_SIDECAR["dapr-api-token"], dapr_api_token="another"))
    findings = fuzz_behind_fakes(app, 5, headers)
    assert not findings.wrong, findings
    assert app.wrote_despite_rejection == []
    assert findings.answers[answered] > 5


class Wanted(Request):
    """The request of the faulty application."""

    size: int


class Given(Request):
    """The documented response of the faulty application."""

    size: int


def refused(status: int, fault: str = "") -> Response:
    """Return a documented problem, except for the fault."""
    text = "Traceback" if fault == "exposes internals" else "no"
    problem = openapi.ProblemDetails(type="about:blank", title="No", status=status, code="no", detail=text)
    kind = "text/html" if fault == "returns errors as HTML" else "application/problem+json"
    return Response(problem.model_dump_json(), status, content_type=kind)


def faulty(fault: str) -> Flask:
    """Return an application that violates its document in one way."""
    app = Flask("faulty")
    problems.register(app)
    operation = openapi.Operation("POST", "/things", "make", "Make a thing", Given, body=Wanted)
    document: Json = openapi.document("faulty", "", [operation])
    document["paths"] = {"/things": document["paths"]["/things"]}
    app.get("/openapi.json")(lambda: jsonify(document))

    @app.post("/things")
    def _things() -> Any:
        body = request.get_json(force=True, silent=True)
        size = body.get("size") if isinstance(body, dict) else None
        if fault == "accepts invalid input":
            return jsonify(size=1)
        if request.mimetype not in {"application/json", "" if fault == "rejects text" else "text/plain"}:
            return refused(415)
        if type(size) is not int:
            return refused(400, fault)
        if fault in {"returns 500", "returns 503"}:
            return refused(500 if fault == "returns 500" else 503)
        answer = jsonify(length=1) if fault == "returns another body" else jsonify(size=1)
        return answer, 201 if fault == "returns another status" else 200

    return app


@pytest.mark.parametrize(
    "fault",
    [
        "accepts invalid input",
        "returns errors as HTML",
        "exposes internals",
        "returns 500",
        "returns 503",
        "returns another body",
        "returns another status",
        "rejects text",
    ],
)
def test_violation_of_the_document_is_detected(fault: str) -> None:
    assert fuzz_behind_fakes(faulty(fault), examples=10).wrong


def test_correct_application_has_no_violation() -> None:
    findings = fuzz_behind_fakes(faulty("none"), examples=10)
    assert not findings.wrong, findings


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("fuzzed")
    with running(make_stack(folder, PORT_OFFSET, BRIEF, "http://127.0.0.1:9/")) as system:
        yield system


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_running_system_rejects_invalid_requests_without_effect(system: System) -> None:
    shopper = Shopper(system.shop)
    order_id = shopper.orders({shopper.goods(a=1): 1})
    shopper.sees_shipments(order_id, "booked")
    holds(lambda: _has_events(system, order_id))
    before = visible_state(system.shop, order_id)
    for name in names():
        findings = fuzz_service(system.shop, name, 8, SEED, mode="negative")
        assert not findings.wrong, findings
    # Switches have no input.
    reset_switches(system)
    assert visible_state(system.shop, order_id) == before


def _has_events(system: System, order_id: str) -> None:
    assert len(system.shop.feed(order_id)) == len(system.shop.timeline(order_id))


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_running_system_responds_as_documented_and_processes_every_order(system: System) -> None:
    for name in names():
        findings = fuzz_service(system.shop, name, 10, SEED)
        assert not findings.wrong, findings
    assert_system_works_and_logs_no_error(system)
