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
class House:
    """A running system whose sidecars provide the API keys, and the file of their secret store."""

    stack: Stack
    keys: Path
    secrets: Path

    def hand_over(self) -> None:
        """Write the keys to the secret store, which reads its file when a sidecar starts."""
        self.secrets.write_text(json.dumps({"oms-api-keys": self.keys.read_text()}))

    def status(self, service: str, path: str, key: str | None) -> int:
        shop = Shop(self.stack.address, self.stack.sidecar_address, self.stack.tokens, key)
        return shop.call(service, "GET", path).status_code


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("secretive")
    env = {"API_KEYS_SECRET_STORE": STORE, "SESSION_SECRET_FILE": str(folder / "session")}
    stack = make_stack(folder, PORT_OFFSET, PATIENT | env, collector.address)
    house = House(stack, folder / "api-keys.json", folder / "secrets.json")
    add_key(house.keys, "somebody", Role.COURIER)
    house.hand_over()
    component = (ROOT / "alternatives" / "secretstore" / f"{STORE}.yaml").read_text()
    assert stack.run_template
    place = stack.run_template.parent / "components" / f"{STORE}.yaml"
    place.write_text(component.replace(".state/api-key-secrets.json", str(house.secrets)))
    with running(stack):
        yield house


def test_changes_of_the_secret_apply_without_a_restart_and_an_outage_denies_access(house: House) -> None:
    pids = {name: house.stack.pid(name) for name in ("billing", "web")}
    with house.stack.without(*AWAY):
        courier, _ = add_key(house.keys, "Cora", Role.COURIER)
        manager, leaving = add_key(house.keys, "Max", Role.MANAGER)
        house.hand_over()
    eventually(lambda: house.status("billing", "/ledger?orderId=A1", manager) == 200)
    assert house.status("billing", "/ledger?orderId=A1", courier) == 403
    assert [house.status("billing", "/ledger?orderId=A1", key) for key in ("oms_wrong", None)] == [401, 401]
    address, browser = house.stack.address("web"), requests.Session()
    browser.trust_env = False
    eventually(lambda: log_in(browser, address, manager) == f"{address}/store/")
    with house.stack.without(*AWAY):
        # Rejections show without the state store whether the keys are loaded.
        assert house.status("billing", "/ledger?orderId=A1", courier) == 403
        assert [house.status("billing", "/ledger?orderId=A1", key) for key in ("oms_wrong", None)] == [401, 401]
        remove_key(house.keys, leaving.id)
        assert leaving not in read_keys(house.keys)
        house.hand_over()
    eventually(lambda: house.status("billing", "/ledger?orderId=A1", manager) == 401)
    eventually(lambda: browser.get(f"{address}/store/", timeout=20).url == f"{address}/login")
    assert {name: house.stack.pid(name) for name in pids} == pids


def test_service_denies_access_until_the_secret_store_answers(house: House) -> None:
    key, _ = add_key(house.keys, "Mia", Role.MANAGER)
    house.hand_over()
    with house.stack.without("fraud sidecar"):
        with house.stack.without("fraud"):
            pass
        eventually(lambda: _answers(house, "fraud"))
        assert [house.status("fraud", "/settings", one) for one in (key, "oms_wrong", None)] == [503, 503, 401]
        assert house.status("fraud", "/readyz", None) == 503
    eventually(lambda: house.status("fraud", "/settings", key) == 200)
    assert house.status("fraud", "/settings", "oms_wrong") == 401


def test_logs_contain_no_key_or_digest(house: House) -> None:
    key, kept = add_key(house.keys, "Ann", Role.OPERATOR)
    house.hand_over()
    with house.stack.without("fraud sidecar"):
        pass
    eventually(lambda: house.status("fraud", "/settings", key) == 200)
    for log in log_files(house.stack.state_dir):
        text = log.read_text(errors="replace")
        assert not [one for one in (key, kept.sha256, *[one.sha256 for one in read_keys(house.keys)]) if one in text]


def log_in(browser: requests.Session, address: str, key: str) -> str:
    """Log in, and return the address of the next page."""
    return browser.post(f"{address}/login", data=form(browser, f"{address}/login", key=key), timeout=20).url


def _answers(house: House, service: str) -> bool:
    try:
        return house.status(service, "/healthz", None) == 200
    except requests.ConnectionError:
        return False
