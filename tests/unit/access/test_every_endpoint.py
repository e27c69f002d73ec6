"""Each endpoint of each service against each kind of caller: only those in the access table are allowed."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from flask import Flask

from launcher.paths import ROOT
from services.billing import routes as billing
from services.common.auth.access import COMMON
from services.common.identity import Role
from services.common.web.access_rules import Rule, Rules
from services.fraud import routes as fraud
from services.inventory import routes as inventory
from services.notifications import routes as notifications
from services.orderprocessing.api import routes as orderprocessing
from services.shipping import routes as shipping
from tests.unit.access.policy import as_yaml
from tests.unit.access.system import ask, bearer, make_apps, make_keys, through_sidecar
from tests.unit.access.table import as_markdown

TABLES: Mapping[str, Rules] = {
    "orderprocessing": orderprocessing.API.rules,
    "inventory": inventory.API.rules,
    "billing": billing.API.rules,
    "shipping": shipping.API.rules,
    "fraud": fraud.API.rules,
    "notifications": notifications.API.rules,
}
ENDPOINTS = [(service, name) for service, rules in TABLES.items() for name in {**COMMON, **rules}]
APPS = [*TABLES, "web", "a-stranger"]
REFUSED = {401, 403}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[Role, str]]:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    return path, make_keys(path)


@pytest.fixture(scope="module")
def guarded(keys: tuple[Path, dict[Role, str]]) -> dict[str, Flask]:
    return make_apps(keys[0])


@pytest.fixture(scope="module")
def on_loopback() -> dict[str, Flask]:
    return make_apps()


def rule_of(service: str, endpoint: str) -> Rule:
    return {**COMMON, **TABLES[service]}[endpoint]


def answer(app: Flask, endpoint: str, headers: dict[str, str]) -> int:
    """Ask for an endpoint, of a thing that does not exist, with nothing in the body."""
    method, path = endpoint.split()
    return ask(app.test_client(), method, re.sub(r"<[^>]*>", "A1", path), headers, None if method == "GET" else {})


def expected(allowed: bool, otherwise: int = 403) -> set[int]:
    return set(range(200, 600)) - REFUSED if allowed else {otherwise}


def _shape(path: str) -> str:
    """Return a path with its parameters unnamed: routes and documents call them otherwise."""
    return re.sub(r"<[^>]*>|{[^}]*}", "*", path)


def test_a_document_says_of_what_persons_may_call_that_a_key_opens_it(on_loopback: dict[str, Flask]) -> None:
    for service, app in on_loopback.items():
        rules = {_shape(name): rule for name, rule in TABLES[service].items()}
        for path, operations in app.test_client().get("/openapi.json").get_json()["paths"].items():
            for method, operation in operations.items():
                rule = rules.get(_shape(f"{method.upper()} {path}"))
                if rule is not None:
                    assert ({"key": []} in operation["security"]) == bool(rule.roles), f"{service} {method} {path}"


def test_every_route_of_every_service_has_a_rule_and_every_rule_a_route(guarded: dict[str, Flask]) -> None:
    for service, app in guarded.items():
        routes = {
            f"{method} {route.rule}"
            for route in app.url_map.iter_rules()
            for method in (route.methods or set()) - {"HEAD", "OPTIONS"}
        }
        assert routes == {*COMMON, *TABLES[service]}, service


@pytest.mark.parametrize(("service", "endpoint"), ENDPOINTS)
def test_each_role_may_call_exactly_the_endpoints_in_the_table(
    keys: tuple[Path, dict[Role, str]], guarded: dict[str, Flask], service: str, endpoint: str
) -> None:
    rule = rule_of(service, endpoint)
    for role, key in keys[1].items():
        allowed = rule.everybody or role in rule.roles
        # What is for services only asks everybody else to show the token.
        found = answer(guarded[service], endpoint, bearer(key))
        assert found in expected(allowed, 403 if rule.roles else 401), (role, found)
        found = answer(guarded[service], endpoint, through_sidecar("web", role=role, person="a"))
        assert found in expected(allowed), (role, "in the console", found)


@pytest.mark.parametrize(("service", "endpoint"), ENDPOINTS)
def test_without_a_valid_key_only_public_endpoints_respond(
    guarded: dict[str, Flask], service: str, endpoint: str
) -> None:
    wrong = [{}, bearer("oms_wrong"), {"Authorization": "Basic eDp5"}, through_sidecar("web", "not the token")]
    posed = {"dapr-caller-app-id": "orderprocessing", "oms-role": "operator", "oms-person": "Eve"}
    for headers in (*wrong, posed):
        found = answer(guarded[service], endpoint, headers)
        assert found in expected(rule_of(service, endpoint).everybody, 401), (headers, found)


@pytest.mark.parametrize(("service", "endpoint"), ENDPOINTS)
def test_each_service_may_call_exactly_the_endpoints_in_the_table(
    guarded: dict[str, Flask], service: str, endpoint: str
) -> None:
    rule = rule_of(service, endpoint)
    for app in APPS:
        found = answer(guarded[service], endpoint, through_sidecar(app))
        assert found in expected(rule.everybody or app in rule.apps), (app, found)
        if app != "web":
            posed = answer(guarded[service], endpoint, through_sidecar(app, role="operator", person="Eve"))
            assert posed in expected(rule.everybody or app in rule.apps), (app, "as a person", posed)
    found = answer(guarded[service], endpoint, through_sidecar(None))
    assert found in expected(rule.everybody or rule.sidecar), found


@pytest.mark.parametrize(("service", "endpoint"), ENDPOINTS)
def test_on_loopback_without_keys_only_internal_endpoints_are_closed(
    on_loopback: dict[str, Flask], service: str, endpoint: str
) -> None:
    rule = rule_of(service, endpoint)
    found = answer(on_loopback[service], endpoint, {})
    assert found in expected(bool(rule.everybody or rule.roles), 401), found
    found = answer(on_loopback[service], endpoint, through_sidecar("web"))
    assert found in expected(bool(rule.everybody or rule.roles or "web" in rule.apps)), found


def test_on_loopback_all_client_endpoints_are_open(on_loopback: dict[str, Flask]) -> None:
    """The interface that independent clients speak: of it only reservations, bookings and payments are internal."""
    published = {
        "orderprocessing": ["POST /orders", "POST /orders/<order_id>/action", "POST /shipments/<shipment_id>/status"],
        "inventory": ["GET /inventory", "PUT /inventory/<sku>", "POST /inventory/<sku>/restock"],
        "billing": ["GET /ledger"],
        "fraud": ["GET /settings", "POST /limit", "POST /maintenance", "POST /reset", "POST /check"],
        "shipping": ["POST /shipping/activate", "POST /shipping/deactivate", "GET /shipping/settings"],
        "notifications": ["GET /", "GET /events", "GET /events/stream"],
    }
    for service, endpoints in published.items():
        for endpoint in endpoints:
            assert answer(on_loopback[service], endpoint, {}) not in REFUSED, endpoint


def test_without_a_token_every_endpoint_is_open() -> None:
    apps = make_apps(token=None)
    for service, endpoint in ENDPOINTS:
        assert answer(apps[service], endpoint, {}) not in REFUSED, endpoint


def test_the_access_table_in_the_docs_matches_the_code() -> None:
    documentation = "\n\n".join(path.read_text() for path in (ROOT / "docs").glob("security*.md"))
    for service, rules in {**TABLES, "every service": COMMON}.items():
        table = as_markdown(service, rules)
        assert table in documentation, f"the docs should have:\n{table}"


def test_the_dapr_access_policy_matches_the_rules() -> None:
    policy = (ROOT / "alternatives" / "mtls" / "access.yaml").read_text()
    wanted = as_yaml({**TABLES, "every service": COMMON})
    assert policy.endswith(wanted), f"the policy should end with:\n{wanted}"
