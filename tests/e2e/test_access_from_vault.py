"""API keys in a secret store that can change at run time: a change takes effect within seconds."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from launcher.system.stack import Stack
from services.common.auth.api_keys import add_key, remove_key
from services.common.identity import Role
from tests.e2e.client import Shop
from tests.e2e.collector import Collector
from tests.e2e.launch import PATIENT, log_files, make_stack, running
from tests.e2e.polling import eventually
from tests.e2e.test_access_from_secrets import log_in
from tests.e2e.vault import Vault

PORT_OFFSET = 11000
SECONDS = 5.0
"""Time until a change takes effect. The documentation says three; the machine may be busy."""


@dataclass(frozen=True)
class SecuredSystem:
    """A running system, its secret store, and the file to which the keys are written first."""

    stack: Stack
    vault: Vault
    file: Path

    def store_keys(self) -> None:
        """Write the keys of the file to the store."""
        self.vault.secrets["oms-api-keys"] = {"keys": self.file.read_text()}

    def status(self, key: str) -> int:
        shop = Shop(self.stack.address, self.stack.sidecar_address, self.stack.tokens, key)
        return shop.call("billing", "GET", "/ledger?orderId=A1").status_code

    def pids(self) -> dict[str, int | None]:
        return {name: self.stack.pid(name) for name in self.stack.names()}


@pytest.fixture
def secured(tmp_path: Path, collector: Collector) -> Iterator[SecuredSystem]:
    env = {"API_KEYS_SECRET_STORE": "vault", "SESSION_SECRET_FILE": str(tmp_path / "session")}
    stack = make_stack(tmp_path, PORT_OFFSET, PATIENT | env, collector.address)
    assert stack.run_template
    add_key(tmp_path / "api-keys.json", "nobody", Role.COURIER)
    with Vault() as vault:
        (stack.run_template.parent / "components" / "vault.yaml").write_text(vault.component("vault"))
        secured = SecuredSystem(stack, vault, tmp_path / "api-keys.json")
        secured.store_keys()
        with running(stack):
            yield secured


def test_change_takes_effect_within_seconds_without_a_restart(secured: SecuredSystem) -> None:
    pids, address = secured.pids(), secured.stack.address("web")
    (old, old_kept), (new, _) = (add_key(secured.file, name, Role.MANAGER) for name in ("Olga", "Nora"))
    secured.store_keys()
    eventually(lambda: [secured.status(key) for key in (old, new)] == [200, 200], SECONDS)
    browser = requests.Session()
    browser.trust_env = False
    eventually(lambda: log_in(browser, address, old) == f"{address}/store/", SECONDS)

    with secured.vault.sealed():
        later, _ = add_key(secured.file, "Lara", Role.MANAGER)
        secured.store_keys()
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            assert [secured.status(key) for key in (old, new, later, "oms_wrong")] == [200, 200, 401, 401]
        assert browser.get(f"{address}/store/", timeout=20).url == f"{address}/store/"
    eventually(lambda: secured.status(later) == 200, SECONDS)

    remove_key(secured.file, old_kept.id)
    secured.store_keys()
    eventually(lambda: secured.status(old) == 401, SECONDS)
    eventually(lambda: browser.get(f"{address}/store/", timeout=20).url == f"{address}/login", SECONDS)
    assert secured.status(new) == 200
    assert secured.pids() == pids
    logs = "".join(log.read_text(errors="replace") for log in log_files(secured.stack.state_dir))
    assert not [one for one in (old, new, later, old_kept.sha256) if one in logs]
