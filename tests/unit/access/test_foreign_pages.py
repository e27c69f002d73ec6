"""On loopback nobody needs a key, and every page that a person has open could ask in his place: it is refused."""

from pathlib import Path

import pytest
from flask import Flask

from services.common.access import OPEN, door_of
from services.common.config import ConfigurationError, ServiceConfig, read
from services.common.persons import Role
from tests.unit.access.system import TOKEN, bearer, make_apps, make_keys, through_sidecar

SWITCH = "/shipping/deactivate"
FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://localhost:8080"},
    {"Origin": "null"},
]
FOREIGN += [{"Host": "localhost:3004", "Origin": origin} for origin in ("http://[", "http://x]", "null", "")]
OWN = [
    {},
    {"Host": "localhost:3004"},
    {"Host": "127.0.0.2"},
    {"Host": "[::1]:3004"},
    {"Host": "localhost:3004", "Origin": "http://localhost:3004", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
]
REBOUND = ["evil.example", "evil.example:3004", "127.0.0.1.evil.example", "localhost.evil.example:80", "evil@localhost"]


@pytest.fixture(scope="module", params=[TOKEN, None])
def apps(request: pytest.FixtureRequest) -> dict[str, Flask]:
    return make_apps(token=request.param)


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_page_of_another_site_switches_nothing(apps: dict[str, Flask], headers: dict[str, str]) -> None:
    client = apps["shipping"].test_client()
    answer = client.post(SWITCH, headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "crossOrigin")
    assert client.get("/shipping/settings").get_json()["active"] is True


@pytest.mark.parametrize("headers", OWN)
def test_whoever_is_no_foreign_page_does(apps: dict[str, Flask], headers: dict[str, str]) -> None:
    client = apps["shipping"].test_client()
    assert client.post("/shipping/activate", headers=headers).status_code == 200
    assert client.get("/shipping/settings", headers=headers).status_code == 200


@pytest.mark.parametrize("host", REBOUND)
def test_a_page_whose_name_leads_here_reads_nothing(apps: dict[str, Flask], host: str) -> None:
    answer = apps["orderprocessing"].test_client().get("/orders", headers={"Host": host})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "untrustedHost")
    assert apps["orderprocessing"].test_client().get("/healthz", headers={"Host": host}).status_code == 200


def test_a_link_on_a_page_of_another_site_may_lead_here(apps: dict[str, Flask]) -> None:
    assert apps["notifications"].test_client().get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_what_comes_through_the_sidecar_may_go_by_any_name() -> None:
    headers = through_sidecar("web", role="manager", person="a") | {"Host": "evil.example", "Origin": "null"}
    assert make_apps()["shipping"].test_client().post(SWITCH, headers=headers).status_code == 200


def test_with_keys_any_page_may_ask_that_has_one(tmp_path: Path) -> None:
    keys = make_keys(tmp_path / "keys.json")
    client = make_apps(tmp_path / "keys.json")["shipping"].test_client()
    headers = {"Host": "shop.example", "Origin": "http://other.example"}
    assert client.post(SWITCH, headers=headers).status_code == 401
    assert client.post(SWITCH, headers=headers | bearer(keys[Role.MANAGER])).status_code == 200


def test_a_name_of_this_machine_can_be_trusted() -> None:
    config = read(ServiceConfig, {"TRUSTED_HOSTS": "Shop.Local, [::1]"}, app_port=1)
    assert door_of(config, None).trusts("shop.local:3000")
    assert door_of(config, None).trusts("127.0.0.1:3000"), "what is loopback stays trusted"
    assert not OPEN.trusts("shop.local:3000")
    with pytest.raises(ConfigurationError, match="TRUSTED_HOSTS"):
        read(ServiceConfig, {"TRUSTED_HOSTS": " , "}, app_port=1)
