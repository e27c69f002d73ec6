"""API keys in a secret store of the sidecar: changes count within seconds, and an outage lets nobody in for free."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from services.common.auth.api_key_secret import KeySecret
from services.common.auth.api_keys import add_key
from services.common.config import ConfigurationError, ServiceConfig, read
from services.common.dapr.sidecar import TransientError
from services.common.identity import Role
from services.web.app import WebConfig, create_app
from services.web.auth.session_secret import SecretError
from services.web.live.hub import Hub
from tests.unit.access.system import bearer, make_apps
from tests.unit.web.fakes import FakeShop

TOKENS = {"APP_API_TOKEN": "t", "DAPR_API_TOKEN": "d"}


CONSOLE: dict[str, Any] = {
    "app_port": 3006,
    "app_api_token": "t",
    "dapr_api_token": "d",
    "api_keys_secret_store": "vault",
}


class Vault:
    """A secret store with one secret, and the time of day; it may be away."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "keys.json"
        self.key, _ = add_key(self.file, "Max", Role.MANAGER)
        self.entries = {"keys": self.file.read_text()}
        self.away, self.now = False, 1000.0
        self.keys = KeySecret(self, "vault", "people", lambda: self.now)

    def secret(self, store: str, name: str) -> dict[str, str]:
        if self.away or (store, name) != ("vault", "people"):
            raise TransientError("the vault does not answer")
        return self.entries

    def goes_away_for(self, seconds: float) -> None:
        self.away = True
        self.now += seconds
        assert not self.keys.refresh()


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path)


@pytest.fixture
def billing(vault: Vault) -> FlaskClient:
    return make_apps(vault.keys)["billing"].test_client()


def status(client: FlaskClient, key: str | None) -> int:
    return client.get("/ledger?orderId=A1", headers=bearer(key) if key else {}).status_code


def test_only_keys_of_the_secret_are_accepted(vault: Vault, billing: FlaskClient) -> None:
    assert vault.keys.refresh()
    assert [status(billing, key) for key in (vault.key, "oms_wrong", None)] == [200, 401, 401]


def test_a_change_of_the_secret_takes_effect_with_the_next_refresh(vault: Vault, billing: FlaskClient) -> None:
    vault.keys.refresh()
    new, _ = add_key(vault.file, "Ann", Role.OPERATOR)
    vault.entries = {"keys": vault.file.read_text()}
    vault.keys.refresh()
    assert [status(billing, key) for key in (vault.key, new)] == [200, 200]
    vault.entries = {"keys": '{"keys": []}'}
    vault.keys.refresh()
    assert [status(billing, key) for key in (vault.key, new)] == [401, 401]


def test_until_the_first_refresh_every_request_gets_a_503(vault: Vault, billing: FlaskClient) -> None:
    vault.goes_away_for(0)
    assert [status(billing, key) for key in (vault.key, "oms_wrong", None)] == [503, 503, 401]
    assert not vault.keys.available()


def test_the_last_keys_stay_in_use_for_five_minutes_without_the_store_and_no_longer(
    vault: Vault, billing: FlaskClient
) -> None:
    vault.keys.refresh()
    vault.goes_away_for(299)
    assert [status(billing, key) for key in (vault.key, "oms_wrong", None)] == [200, 401, 401]
    assert vault.keys.available()
    vault.goes_away_for(2)
    assert [status(billing, key) for key in (vault.key, "oms_wrong", None)] == [503, 503, 401]
    assert not vault.keys.available()
    vault.away = False
    assert vault.keys.refresh()
    assert status(billing, vault.key) == 200


@pytest.mark.parametrize("entries", [{}, {"keys": "{"}, {"keys": '{"keys": [1]}'}, {"a": '{"keys": []}', "b": "{}"}])
def test_an_invalid_secret_changes_nothing_and_is_logged_once(
    vault: Vault, caplog: pytest.LogCaptureFixture, entries: dict[str, str]
) -> None:
    vault.keys.refresh()
    vault.entries = entries
    assert not vault.keys.refresh()
    assert not vault.keys.refresh()
    assert vault.keys.find(vault.key)
    assert [one.message for one in caplog.records] == ["could not read the API keys"]


def test_the_console_keeps_a_session_for_as_long_as_its_key_is_in_the_secret(vault: Vault, tmp_path: Path) -> None:
    vault.keys.refresh()
    config = WebConfig(session_secret_file=tmp_path / "session", **CONSOLE)
    app = create_app(config, FakeShop(), Hub(1), keys=vault.keys)
    app.config["WTF_CSRF_ENABLED"] = False
    browser = app.test_client()
    assert browser.post("/login", data={"key": vault.key}, headers={"Accept": "text/html"}).status_code == 303
    assert browser.get("/", headers={"Accept": "text/html"}).status_code == 200
    vault.goes_away_for(301)
    assert browser.get("/", headers={"Accept": "text/html"}).status_code == 503
    vault.away, vault.entries = False, {"keys": '{"keys": []}'}
    vault.keys.refresh()
    assert browser.get("/", headers={"Accept": "text/html"}).location == "/login"


def test_the_console_needs_a_session_secret_file_with_a_secret_store(vault: Vault) -> None:
    with pytest.raises(SecretError, match="API_KEYS_SECRET_STORE"):
        create_app(WebConfig(**CONSOLE), FakeShop(), Hub(1), keys=vault.keys)


def test_a_service_on_a_public_address_may_have_its_keys_in_a_secret_store() -> None:
    config = read(ServiceConfig, {"APP_HOST": "0.0.0.0", "API_KEYS_SECRET_STORE": "vault"} | TOKENS, app_port=1)
    assert (config.api_keys_secret_store, config.api_keys_secret) == ("vault", "oms-api-keys")


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [
        ({"API_KEYS_SECRET_STORE": "vault"}, "API_KEYS_SECRET_STORE needs APP_API_TOKEN and DAPR_API_TOKEN"),
        (TOKENS | {"API_KEYS_SECRET_STORE": "vault", "API_KEYS_FILE": "keys.json"}, "exclude each other"),
    ],
)
def test_a_secret_store_of_keys_needs_tokens_like_a_key_file(environ: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        read(ServiceConfig, environ, app_port=1)
