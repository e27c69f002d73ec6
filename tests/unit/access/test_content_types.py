"""The accepted content types of every endpoint with a body, in the OpenAPI documents and in behaviour."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from services.common.json_models import Json
from tests.unit.access.system import make_apps

FORMS = ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data"]
UNDECLARED = ["text/plain", "text/plain;charset=UTF-8", ""]
CROSS_SITE = {"Sec-Fetch-Site": "cross-site"}
CHAOS = [("PUT", "/chaos"), ("POST", "/chaos/crash")]
"""These are in no document."""


@pytest.fixture(scope="module")
def apps() -> dict[str, Flask]:
    apps = make_apps(token=None)
    order = {"id": "orderId", "customerId": "1234", "items": ["milk"]}
    assert apps["orderprocessing"].test_client().post("/orders", json=order).status_code == 202
    return apps


def bodies(app: Flask) -> Iterator[tuple[str, str, Json]]:
    """Return method, path and documented body of every operation that has one; a parameter's value is its name."""
    for path, item in app.test_client().get("/openapi.json").get_json()["paths"].items():
        for method, operation in item.items():
            if "requestBody" in operation:
                yield method.upper(), path.replace("{", "").replace("}", ""), operation["requestBody"]


def endpoints(app: Flask) -> list[tuple[str, str]]:
    """Return method and path of all that reads a body here; there is no shipment yet, so its endpoint is a 404."""
    return [(method, path) for method, path, _ in bodies(app) if not path.startswith("/shipments/")] + CHAOS


def send(app: Flask, method: str, path: str, content_type: str, headers: dict[str, str] | None = None) -> Any:
    """Send a JSON body that no model takes."""
    data = '{"limit": [], "failures": []}' if path != "/chaos/crash" else "["
    return app.test_client().open(path, method=method, data=data, content_type=content_type, headers=headers)


def test_every_endpoint_rejects_a_form_and_names_the_required_header(apps: dict[str, Flask]) -> None:
    for app in apps.values():
        for method, path in endpoints(app):
            for content_type in [*FORMS, "application/xml", "text/html", "nonsense"]:
                answer = send(app, method, path, content_type)
                assert (answer.status_code, answer.get_json()["code"]) == (415, "unsupportedMediaType"), (method, path)
                assert "Content-Type: application/json" in answer.get_json()["detail"]


def test_every_endpoint_accepts_json_as_text_or_without_a_content_type(apps: dict[str, Flask]) -> None:
    for app in apps.values():
        for method, path in endpoints(app):
            statuses = {send(app, method, path, kind).status_code for kind in ["application/json", *UNDECLARED]}
            assert len(statuses) == 1, (method, path, statuses)
            assert 415 not in statuses


def test_every_endpoint_rejects_undeclared_json_from_a_page_of_another_site(apps: dict[str, Flask]) -> None:
    for app in apps.values():
        for method, path in endpoints(app):
            for content_type in UNDECLARED:
                assert send(app, method, path, content_type, CROSS_SITE).status_code == 403, (method, path)


def test_the_openapi_documents_declare_these_content_types_for_every_body(apps: dict[str, Flask]) -> None:
    for app in apps.values():
        for method, path, body in bodies(app):
            assert list(body["content"]) == ["application/json", "text/plain"], (method, path)
            text = body["content"]["text/plain"]["schema"]
            assert text["contentMediaType"] == "application/json"
            assert text["contentSchema"] == body["content"]["application/json"]["schema"]
            assert "without a content type" in body["description"]
