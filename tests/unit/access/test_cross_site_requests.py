"""Cross-site requests: on loopback no key is needed, so requests from pages of other sites are rejected."""

from itertools import product
from pathlib import Path

import pytest
from flask import Flask

from services.common.auth.access import NO_AUTHENTICATION, create_authenticator
from services.common.config import ConfigurationError, ServiceConfig, read
from services.common.identity import Role
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
FOREIGN += [
    {"Host": "localhost:3004", "Referer": page} for page in ("http://evil.example/localhost:3004", "about:blank")
]
OWN = [
    {},
    {"Host": "localhost:3004"},
    {"Host": "127.0.0.2"},
    {"Host": "[::1]:3004"},
    {"Host": "localhost:3004", "Origin": "http://localhost:3004", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Host": "localhost:3004", "Referer": "http://localhost:3004/docs"},
]
HOST = "localhost:3005"
ORIGINS = [None, f"http://{HOST}", "http://localhost:8080", "https://evil.example", "null", ""]
SITES = [None, "same-origin", "none", "same-site", "cross-site", ""]
PAGES = list(product(ORIGINS, SITES))
"""Every combination of the headers that name the page of a request."""
UNDECLARED = ["text/plain", "text/plain;charset=UTF-8", "Text/Plain; charset=utf-8", ""]
"""Content types of JSON that a page may send to another site without a preflight request."""
REBOUND = ["evil.example", "evil.example:3004", "127.0.0.1.evil.example", "localhost.evil.example:80", "evil@localhost"]


@pytest.fixture(scope="module", params=[TOKEN, None])
def apps(request: pytest.FixtureRequest) -> dict[str, Flask]:
    return make_apps(token=request.param)


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_page_of_another_site_changes_nothing(apps: dict[str, Flask], headers: dict[str, str]) -> None:
    client = apps["shipping"].test_client()
    answer = client.post(SWITCH, headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "crossOrigin")
    assert client.get("/shipping/settings").get_json()["active"] is True


@pytest.mark.parametrize("headers", OWN)
def test_requests_that_are_not_cross_site_are_accepted(apps: dict[str, Flask], headers: dict[str, str]) -> None:
    client = apps["shipping"].test_client()
    assert client.post("/shipping/activate", headers=headers).status_code == 200
    assert client.get("/shipping/settings", headers=headers).status_code == 200


@pytest.mark.parametrize("host", REBOUND)
def test_dns_rebinding_reads_nothing(apps: dict[str, Flask], host: str) -> None:
    answer = apps["orderprocessing"].test_client().get("/orders", headers={"Host": host})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "untrustedHost")
    assert apps["orderprocessing"].test_client().get("/healthz", headers={"Host": host}).status_code == 200


def test_a_link_on_a_page_of_another_site_may_be_followed(apps: dict[str, Flask]) -> None:
    assert apps["notifications"].test_client().get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_requests_through_the_sidecar_may_have_any_host_name() -> None:
    headers = through_sidecar("web", role="manager", person="a") | {"Host": "evil.example", "Origin": "null"}
    assert make_apps()["shipping"].test_client().post(SWITCH, headers=headers).status_code == 200


def test_a_cross_site_request_with_a_key_is_accepted(tmp_path: Path) -> None:
    keys = make_keys(tmp_path / "keys.json")
    client = make_apps(tmp_path / "keys.json")["shipping"].test_client()
    headers = {"Host": "shop.example", "Origin": "http://other.example"}
    assert client.post(SWITCH, headers=headers).status_code == 401
    assert client.post(SWITCH, headers=headers | bearer(keys[Role.MANAGER])).status_code == 200


def test_a_name_of_this_machine_can_be_trusted() -> None:
    config = read(ServiceConfig, {"TRUSTED_HOSTS": "Shop.Local, [::1]"}, app_port=1)
    assert create_authenticator(config, None).trusts_host("shop.local:3000")
    assert create_authenticator(config, None).trusts_host("127.0.0.1:3000"), "what is loopback stays trusted"
    assert not NO_AUTHENTICATION.trusts_host("shop.local:3000")
    with pytest.raises(ConfigurationError, match="TRUSTED_HOSTS"):
        read(ServiceConfig, {"TRUSTED_HOSTS": " , "}, app_port=1)


def browser_headers(origin: str | None, site: str | None) -> dict[str, str]:
    """Return the headers that a browser sends to the fraud service for a page; None omits a header."""
    headers = {"Host": HOST, "Origin": origin, "Sec-Fetch-Site": site}
    return {name: value for name, value in headers.items() if value is not None}


def is_same_origin(origin: str | None, site: str | None) -> bool:
    """Return whether no header names a page of another site."""
    return origin in {None, f"http://{HOST}"} and site in {None, "same-origin", "none"}


def set_limit(app: Flask, limit: int, content_type: str, headers: dict[str, str]) -> tuple[int, str | None]:
    """Send a limit as JSON, under any content type; return the status, and the code of a problem."""
    body = f'{{"limit": {limit}}}'
    answer = app.test_client().post("/limit", data=body, content_type=content_type, headers=headers)
    return answer.status_code, answer.get_json().get("code")


def limit_of(app: Flask, headers: dict[str, str] | None = None) -> int:
    return int(app.test_client().get("/settings", headers=headers).get_json()["limit"])


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_page_of_another_site_opens_no_stream_even_with_a_key(tmp_path: Path, headers: dict[str, str]) -> None:
    keys = make_keys(tmp_path / "keys.json")
    client, key = make_apps(tmp_path / "keys.json")["notifications"].test_client(), bearer(keys[Role.OPERATOR])
    answer = client.get("/events/stream", headers=headers | key)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "crossOrigin")


@pytest.mark.parametrize("headers", OWN)
def test_a_page_of_this_service_opens_a_stream(apps: dict[str, Flask], headers: dict[str, str]) -> None:
    with apps["notifications"].test_client().get("/events/stream", headers=headers) as answer:
        assert answer.status_code == 200


@pytest.mark.parametrize(("origin", "site"), PAGES)
def test_without_keys_json_of_any_content_type_is_taken_unless_a_page_of_another_site_sends_it(
    apps: dict[str, Flask], origin: str | None, site: str | None
) -> None:
    fraud = apps["fraud"]
    for number, content_type in enumerate(["application/json", *UNDECLARED], 1):
        fraud.test_client().post("/reset")
        found = set_limit(fraud, number, content_type, browser_headers(origin, site))
        assert found == ((200, None) if is_same_origin(origin, site) else (403, "crossOrigin")), content_type
        assert limit_of(fraud) == (number if is_same_origin(origin, site) else 0)


@pytest.mark.parametrize(("origin", "site"), PAGES)
def test_with_a_key_a_page_of_another_site_must_declare_json(
    tmp_path: Path, origin: str | None, site: str | None
) -> None:
    keys = make_keys(tmp_path / "keys.json")
    fraud, key = make_apps(tmp_path / "keys.json")["fraud"], bearer(keys[Role.MANAGER])
    page = browser_headers(origin, site)
    for number, content_type in enumerate(UNDECLARED, 1):
        assert set_limit(fraud, number, content_type, page) == (401, "notAuthenticated")
        found = set_limit(fraud, number, content_type, page | key)
        assert found == ((200, None) if is_same_origin(origin, site) else (415, "unsupportedMediaType")), content_type
        assert limit_of(fraud, key) == (number if is_same_origin(origin, site) else 0)
    assert set_limit(fraud, 9, "application/json", page | key) == (200, None)


@pytest.mark.parametrize(("origin", "site"), PAGES)
def test_through_a_sidecar_a_page_of_another_site_must_declare_json(origin: str | None, site: str | None) -> None:
    fraud, caller = make_apps()["fraud"], through_sidecar("web", role="manager", person="a")
    page = browser_headers(origin, site)
    for content_type in UNDECLARED:
        found = set_limit(fraud, 5, content_type, page | caller)
        assert found == ((200, None) if is_same_origin(origin, site) else (415, "unsupportedMediaType")), content_type
    assert set_limit(fraud, 9, "application/json", page | caller) == (200, None)


@pytest.mark.parametrize("host", REBOUND)
def test_dns_rebinding_sends_nothing_with_any_content_type(apps: dict[str, Flask], host: str) -> None:
    apps["fraud"].test_client().post("/reset")
    page = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    for content_type in ("application/json", *UNDECLARED):
        assert set_limit(apps["fraud"], 5, content_type, page) == (400, "untrustedHost")
    assert limit_of(apps["fraud"]) == 0
