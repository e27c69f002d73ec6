"""The OpenAPI documents: valid, and in step with the routes in both directions."""

import re

import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator

from services.common.json_models import Json
from tests.services import make_app, names

_NOT_FOR_CLIENTS = re.compile(r"/dapr/.*|/internal/.*|/static/.*|/docs.*")
"""Routes that only the sidecar calls, and files of pages."""


@pytest.fixture(params=names())
def app(request: pytest.FixtureRequest) -> Flask:
    return make_app(request.param)


def document(app: Flask) -> Json:
    answer = app.test_client().get("/openapi.json")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    return dict(answer.get_json())


def camel(path: str) -> str:
    """Return a route's path as the document writes it."""
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: "{" + re.sub(r"_(\w)", _upper, found[1]) + "}", path)


def _upper(found: re.Match[str]) -> str:
    return found[1].upper()


def routes(app: Flask) -> set[tuple[str, str]]:
    rules = [rule for rule in app.url_map.iter_rules() if not _NOT_FOR_CLIENTS.fullmatch(rule.rule)]
    return {(method, camel(rule.rule)) for rule in rules for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}


def test_the_document_is_valid(app: Flask) -> None:
    OpenAPIV31SpecValidator(document(app)).validate()


def test_every_route_is_documented_and_nothing_else(app: Flask) -> None:
    documented = {(method.upper(), path) for path, item in document(app)["paths"].items() for method in item}
    assert documented == routes(app)


def test_a_link_leads_to_an_operation_that_takes_its_parameters(app: Flask) -> None:
    paths = document(app)["paths"].values()
    operations = {operation["operationId"]: operation for path in paths for operation in path.values()}
    for operation in operations.values():
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                known = {parameter["name"] for parameter in operations[link["operationId"]]["parameters"]}
                assert set(link["parameters"]) <= known


def test_the_page_shows_the_document_and_loads_nothing_from_other_hosts(app: Flask) -> None:
    client = app.test_client()
    page = client.get("/docs")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    files = re.findall(r'(?:href|src)="([^"]*)"', page.text)
    assert [file for file in files if not file.startswith(("/", "data:,"))] == []
    for file in files:
        if file.startswith("/"):
            assert client.get(file).status_code == 200, file


def test_only_the_files_of_the_pages_are_served(app: Flask) -> None:
    for name in ("index.css", "..%2f__init__.py", "%2e%2e", "swagger-ui.js"):
        assert app.test_client().get(f"/docs/vendor/{name}").status_code == 404
