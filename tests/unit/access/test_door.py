"""What a caller is told who is not let in, and that a service does not start with its door open to others."""

from pathlib import Path

import pytest

from services.common.config import ConfigurationError, ServiceConfig, read
from services.common.keys import add_key, remove_key
from services.common.persons import Role
from tests.unit.access.system import TOKEN, bearer, make_apps, make_keys, through_sidecar

KEYS = {"API_KEYS_FILE": "keys.json", "APP_API_TOKEN": "t", "DAPR_API_TOKEN": "d"}


def test_who_shows_no_key_is_told_how_to(tmp_path: Path) -> None:
    make_keys(tmp_path / "keys.json")
    client = make_apps(tmp_path / "keys.json")["billing"].test_client()
    answer = client.get("/ledger?orderId=A1")
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert answer.get_json()["code"] == "notAuthenticated"
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="oms"'
    answer = client.get("/ledger?orderId=A1", headers=bearer("oms_wrong"))
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="oms", error="invalid_token"'


def test_who_has_the_wrong_role_is_told_so(tmp_path: Path) -> None:
    keys = make_keys(tmp_path / "keys.json")
    client = make_apps(tmp_path / "keys.json")["inventory"].test_client()
    answer = client.put("/inventory/milk", json={"unitPrice": 1}, headers=bearer(keys[Role.COURIER]))
    assert (answer.status_code, answer.get_json()["code"]) == (403, "forbidden")
    assert "courier" in answer.get_json()["detail"]


def test_a_call_past_the_sidecar_is_told_that_it_is_one() -> None:
    client = make_apps()["inventory"].test_client()
    answer = client.post("/reservations", json={})
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert "sidecar" in answer.get_json()["detail"]
    assert answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("token", ["", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "\xff"])
def test_only_the_very_token_will_do(token: str) -> None:
    client = make_apps()["inventory"].test_client()
    headers = through_sidecar("orderprocessing", token)
    assert client.post("/reservations", json={}, headers=headers).status_code == 401
    assert client.get("/inventory", headers=headers).status_code == 401
    assert client.post("/reservations", json={}, headers=through_sidecar("orderprocessing")).status_code == 422


@pytest.mark.parametrize("name", ["web,orderprocessing", "orderprocessing,web", "Web", " web", ""])
def test_a_caller_with_two_names_or_half_a_one_is_nobody(name: str) -> None:
    client = make_apps()["billing"].test_client()
    headers = through_sidecar("web", role="operator", person="a") | {"dapr-caller-app-id": name}
    assert client.get("/ledger?orderId=A1", headers=headers).status_code == 403


def test_a_role_that_there_is_not_is_refused() -> None:
    client = make_apps()["billing"].test_client()
    headers = through_sidecar("web", role="king", person="a")
    assert client.get("/ledger?orderId=A1", headers=headers).status_code == 403


def test_a_key_that_is_taken_away_is_refused_at_once_and_a_new_one_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    make_keys(path)
    client = make_apps(path)["billing"].test_client()
    key, kept = add_key(path, "Max", Role.MANAGER)
    assert client.get("/ledger?orderId=A1", headers=bearer(key)).status_code == 200
    remove_key(path, kept.id)
    assert client.get("/ledger?orderId=A1", headers=bearer(key)).status_code == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "shop.example"])
def test_a_service_that_others_can_reach_does_not_start_without_keys(host: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"APP_HOST is {host}.*needs API_KEYS_FILE"):
        read(ServiceConfig, {"APP_HOST": host}, app_port=1)
    assert str(read(ServiceConfig, {"APP_HOST": host} | KEYS, app_port=1).api_keys_file) == "keys.json"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_on_loopback_it_starts_without(host: str) -> None:
    assert read(ServiceConfig, {"APP_HOST": host}, app_port=1).api_keys_file is None


def test_keys_without_a_token_would_leave_a_way_round_them() -> None:
    with pytest.raises(ConfigurationError, match="API_KEYS_FILE needs APP_API_TOKEN"):
        read(ServiceConfig, {"API_KEYS_FILE": "keys.json"}, app_port=1)


def test_a_wrong_configuration_is_explained_without_its_secrets() -> None:
    secret = {"APP_API_TOKEN": "quiet-1", "DAPR_API_TOKEN": "quiet-2"}
    with pytest.raises(ConfigurationError) as error:
        read(ServiceConfig, {"APP_HOST": "0.0.0.0", "CALL_TIMEOUT": "3"} | secret, app_port=1)
    assert "quiet" not in str(error.value)
    assert "quiet" not in repr(read(ServiceConfig, secret, app_port=1))
