"""API keys in a secret store of the sidecars instead of a file, for all services and the console."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from launcher.paths import ROOT
from launcher.system.stack import Stack
from services.common.auth.api_keys import add_key, read_keys, remove_key
from services.common.identity import Role
from tests.e2e.client import Shop
from tests.e2e.collector import Collector
from tests.e2e.launch import PATIENT, log_files, make_stack, running
from tests.e2e.polling import eventually
from tests.e2e.test_access import form

PORT_OFFSET = 11000
STORE = "apikeystore"
AWAY = ("billing sidecar", "web sidecar")


@dataclass(frozen=True)
class SecuredSystem:
    """A running system whose sidecars provide the API keys, and the file of their secret store."""

    stack: Stack
    keys: Path
    secrets: Path

    def store_keys(self) -> None:
        """Write the keys to the secret store, which reads its file when a sidecar starts."""
        self.secrets.write_text(json.dumps({"oms-api-keys": self.keys.read_text()}))

    def status(self, service: str, path: str, key: str | None) -> int:
        shop = Shop(self.stack.address, self.stack.sidecar_address, self.stack.tokens, key)
        return shop.call(service, "GET", path).status_code


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[SecuredSystem]:
    folder = tmp_path_factory.mktemp("secretive")
    env = {"API_KEYS_SECRET_STORE": STORE, "SESSION_SECRET_FILE": str(folder / "session")}
    stack = make_stack(folder, PORT_OFFSET, PATIENT | env, collector.address)
    secured = SecuredSystem(stack, folder / "api-keys.json", folder / "secrets.json")
    add_key(secured.keys, "somebody", Role.COURIER)
    secured.store_keys()
    component = (ROOT / "alternatives" / "secretstore" / f"{STORE}.yaml").read_text()
    assert stack.run_template
    place = stack.run_template.parent / "components" / f"{STORE}.yaml"
    place.write_text(component.replace(".state/api-key-secrets.json", str(secured.secrets)))
    with running(stack):
        yield secured


def test_changes_of_the_secret_apply_without_a_restart_and_an_outage_denies_access(secured: SecuredSystem) -> None:
    pids = {name: secured.stack.pid(name) for name in ("billing", "web")}
    with secured.stack.without(*AWAY):
        courier, _ = add_key(secured.keys, "Cora", Role.COURIER)
        manager, leaving = add_key(secured.keys, "Max", Role.MANAGER)
        secured.store_keys()
    eventually(lambda: secured.status("billing", "/ledger?orderId=A1", manager) == 200)
    assert secured.status("billing", "/ledger?orderId=A1", courier) == 403
    assert [secured.status("billing", "/ledger?orderId=A1", key) for key in ("oms_wrong", None)] == [401, 401]
    address, browser = secured.stack.address("web"), requests.Session()
    browser.trust_env = False
    eventually(lambda: log_in(browser, address, manager) == f"{address}/store/")
    with secured.stack.without(*AWAY):
        # Rejections show without the state store whether the keys are loaded.
        assert secured.status("billing", "/ledger?orderId=A1", courier) == 403
        assert [secured.status("billing", "/ledger?orderId=A1", key) for key in ("oms_wrong", None)] == [401, 401]
        remove_key(secured.keys, leaving.id)
        assert leaving not in read_keys(secured.keys)
        secured.store_keys()
    eventually(lambda: secured.status("billing", "/ledger?orderId=A1", manager) == 401)
    eventually(lambda: browser.get(f"{address}/store/", timeout=20).url == f"{address}/login")
    assert {name: secured.stack.pid(name) for name in pids} == pids


def test_service_denies_access_until_the_secret_store_answers(secured: SecuredSystem) -> None:
    key, _ = add_key(secured.keys, "Mia", Role.MANAGER)
    secured.store_keys()
    with secured.stack.without("fraud sidecar"):
        with secured.stack.without("fraud"):
            pass
        eventually(lambda: _answers(secured, "fraud"))
        assert [secured.status("fraud", "/settings", one) for one in (key, "oms_wrong", None)] == [503, 503, 401]
        assert secured.status("fraud", "/readyz", None) == 503
    eventually(lambda: secured.status("fraud", "/settings", key) == 200)
    assert secured.status("fraud", "/settings", "oms_wrong") == 401


def test_logs_contain_no_key_or_digest(secured: SecuredSystem) -> None:
    key, kept = add_key(secured.keys, "Ann", Role.OPERATOR)
    secured.store_keys()
    with secured.stack.without("fraud sidecar"):
        pass
    eventually(lambda: secured.status("fraud", "/settings", key) == 200)
    for log in log_files(secured.stack.state_dir):
        text = log.read_text(errors="replace")
        assert not [one for one in (key, kept.sha256, *[one.sha256 for one in read_keys(secured.keys)]) if one in text]


def log_in(browser: requests.Session, address: str, key: str) -> str:
    """Log in, and return the address of the next page."""
    return browser.post(f"{address}/login", data=form(browser, f"{address}/login", key=key), timeout=20).url


def _answers(secured: SecuredSystem, service: str) -> bool:
    try:
        return secured.status(service, "/healthz", None) == 200
    except requests.ConnectionError:
        return False
