"""Responses to unauthenticated and unauthorized requests, and configurations that leave a service unprotected."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Response, jsonify
from pydantic import SecretStr

from services.common.auth import access
from services.common.auth.api_keys import add_key, remove_key
from services.common.config import ConfigurationError, ServiceConfig, read
from services.common.identity import NAME_HEADER, Person, Role, acting_for, outgoing_headers, person_from_headers
from services.common.web import access_rules
from services.common.web.base_app import create_base_app
from tests.unit.access.system import TOKEN, bearer, make_apps, make_keys, through_sidecar

ROOT = Path(__file__).parents[3]
KEYS = {"API_KEYS_FILE": "keys.json", "APP_API_TOKEN": "t", "DAPR_API_TOKEN": "d"}


def test_a_request_without_a_key_gets_a_401_with_a_challenge(tmp_path: Path) -> None:
    make_keys(tmp_path / "keys.json")
    client = make_apps(tmp_path / "keys.json")["billing"].test_client()
    answer = client.get("/ledger?orderId=A1")
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert answer.get_json()["code"] == "notAuthenticated"
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="oms"'
    answer = client.get("/ledger?orderId=A1", headers=bearer("oms_wrong"))
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="oms", error="invalid_token"'


def test_a_request_with_the_wrong_role_gets_a_403(tmp_path: Path) -> None:
    keys = make_keys(tmp_path / "keys.json")
    client = make_apps(tmp_path / "keys.json")["inventory"].test_client()
    answer = client.put("/inventory/milk", json={"unitPrice": 1}, headers=bearer(keys[Role.COURIER]))
    assert (answer.status_code, answer.get_json()["code"]) == (403, "forbidden")
    assert "courier" in answer.get_json()["detail"]


def test_a_direct_call_of_an_internal_endpoint_gets_a_401() -> None:
    client = make_apps()["inventory"].test_client()
    answer = client.post("/reservations", json={})
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert "sidecar" in answer.get_json()["detail"]
    assert answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("token", ["", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "\xff"])
def test_only_the_exact_token_is_accepted(token: str) -> None:
    client = make_apps()["inventory"].test_client()
    headers = through_sidecar("orderprocessing", token)
    assert client.post("/reservations", json={}, headers=headers).status_code == 401
    assert client.get("/inventory", headers=headers).status_code == 401
    assert client.post("/reservations", json={}, headers=through_sidecar("orderprocessing")).status_code == 422


@pytest.mark.parametrize("name", ["web,orderprocessing", "orderprocessing,web", "Web", " web", ""])
def test_a_request_with_an_ambiguous_caller_is_rejected(name: str) -> None:
    client = make_apps()["billing"].test_client()
    headers = through_sidecar("web", role="operator", person="a") | {"dapr-caller-app-id": name}
    assert client.get("/ledger?orderId=A1", headers=headers).status_code == 403


def test_an_unknown_role_is_rejected() -> None:
    client = make_apps()["billing"].test_client()
    headers = through_sidecar("web", role="king", person="a")
    assert client.get("/ledger?orderId=A1", headers=headers).status_code == 403


def test_a_removed_key_is_rejected_at_once_and_a_new_one_accepted(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    make_keys(path)
    client = make_apps(path)["billing"].test_client()
    key, kept = add_key(path, "Max", Role.MANAGER)
    assert client.get("/ledger?orderId=A1", headers=bearer(key)).status_code == 200
    remove_key(path, kept.id)
    assert client.get("/ledger?orderId=A1", headers=bearer(key)).status_code == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "shop.example"])
def test_a_service_on_a_public_address_does_not_start_without_keys(host: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"APP_HOST is {host}.*needs API_KEYS_FILE"):
        read(ServiceConfig, {"APP_HOST": host}, app_port=1)
    assert str(read(ServiceConfig, {"APP_HOST": host} | KEYS, app_port=1).api_keys_file) == "keys.json"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_on_loopback_a_service_starts_without_keys(host: str) -> None:
    assert read(ServiceConfig, {"APP_HOST": host}, app_port=1).api_keys_file is None


def test_keys_without_a_token_are_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="API_KEYS_FILE needs APP_API_TOKEN and DAPR_API_TOKEN"):
        read(ServiceConfig, {"API_KEYS_FILE": "keys.json"}, app_port=1)


@pytest.mark.parametrize("name", ["APP_API_TOKEN", "DAPR_API_TOKEN"])
def test_one_token_alone_is_a_configuration_error(name: str) -> None:
    with pytest.raises(ConfigurationError, match="must be set together"):
        read(ServiceConfig, {name: "t"}, app_port=1)


def test_a_wrong_configuration_is_explained_without_its_secrets() -> None:
    secret = {"APP_API_TOKEN": "quiet-1", "DAPR_API_TOKEN": "quiet-2"}
    with pytest.raises(ConfigurationError) as error:
        read(ServiceConfig, {"APP_HOST": "0.0.0.0", "CALL_TIMEOUT": "3"} | secret, app_port=1)
    assert "quiet" not in str(error.value)
    assert "quiet" not in repr(read(ServiceConfig, secret, app_port=1))


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"APP_HOST": "0.0.0.0"}, "configuration: APP_HOST is 0.0.0.0, which other machines can reach"),
        (KEYS | {"API_KEYS_FILE": "/nowhere.json"}, "configuration: API_KEYS_FILE: the keys in /nowhere.json cannot"),
    ],
)
def test_a_wrong_configuration_ends_the_process_with_a_message(environ: dict[str, str], sentence: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "services.billing.app"],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith(sentence)
    assert "Traceback" not in ended.stderr


def test_caller_headers_are_trusted_only_with_the_token() -> None:
    app = create_base_app("shop", lambda: True)
    access.guard(app, {"GET /goods": access.people(apps=("orderprocessing",))}, access.Authenticator("token"))

    @app.get("/goods")
    def _goods() -> Response:
        return jsonify(access.calling_app())

    client, posed = app.test_client(), {"dapr-caller-app-id": "orderprocessing"}
    assert client.get("/goods", headers=posed).get_json() is None
    assert client.get("/goods", headers=posed | {"dapr-api-token": "token"}).get_json() == "orderprocessing"


def test_a_route_without_a_rule_is_forbidden() -> None:
    app = create_base_app("shop", lambda: True)
    access.guard(app, {}, access.NO_AUTHENTICATION)
    app.get("/forgotten")(lambda: "secret")
    assert app.test_client().get("/forgotten").status_code == 403
    assert app.test_client().head("/forgotten").status_code == 403
    assert app.test_client().get("/nowhere").status_code == 404
    assert app.test_client().put("/forgotten").status_code == 405


def test_head_requires_the_same_role_as_get() -> None:
    app = create_base_app("shop", lambda: True)
    access.guard(app, {"GET /goods": access_rules.services("web")}, access.create_authenticator(_with_token(), None))
    app.get("/goods")(lambda: "goods")
    assert app.test_client().head("/goods").status_code == 401


def _with_token() -> ServiceConfig:
    return ServiceConfig(app_port=1, app_api_token=SecretStr(TOKEN), dapr_api_token=SecretStr("another"))


@pytest.mark.parametrize("name", ["Chris", "Zoë Müller", "a,b; c=d", "名", "%41", "x" * 100])
def test_a_name_with_any_characters_is_forwarded(name: str) -> None:
    person = Person(name, Role.APPROVER)
    with acting_for(person):
        headers = outgoing_headers()
        headers[NAME_HEADER].encode("ascii")
        with acting_for(None):
            assert outgoing_headers() == {}
        assert person_from_headers(headers.get) == person
    assert outgoing_headers() == {}
