"""Sessions of the console: the cookie, the secret and the end of a session."""

import re
import stat
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from services.common.auth.api_keys import KeyFile, read_keys, remove_key
from services.common.identity import Role
from services.web.app import WebConfig, create_app
from services.web.auth.session_secret import SecretError, session_secret
from tests.unit.web.console_with_keys import HTML, TOKENS, ConsoleWithKeys, token


@pytest.fixture
def console(tmp_path: Path) -> ConsoleWithKeys:
    return ConsoleWithKeys(tmp_path)


def test_the_session_cookie_is_protected(tmp_path: Path) -> None:
    plain, tls = ConsoleWithKeys(tmp_path / "a"), ConsoleWithKeys(tmp_path / "b", behind_tls=True)
    cookie = plain.log_in(plain.browser(), plain.keys[Role.OPERATOR]).headers.getlist("Set-Cookie")
    session = next(value for value in cookie if value.startswith("oms="))
    assert "HttpOnly" in session
    assert "SameSite=Lax" in session
    assert "Secure" not in session
    browser = tls.app.test_client()
    base = "https://localhost"
    page = browser.get("/login", headers=HTML, base_url=base)
    match = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert match
    answer = browser.post(
        "/login",
        data={"key": tls.keys[Role.OPERATOR], "csrf_token": match[1]},
        headers=HTML | {"Referer": f"{base}/login"},
        base_url=base,
    )
    assert answer.status_code == 303
    assert all("Secure" in value for value in answer.headers.getlist("Set-Cookie"))
    assert any(value.startswith("__Host-oms=") for value in answer.headers.getlist("Set-Cookie"))
    assert "max-age" in page.headers["Strict-Transport-Security"]


@pytest.mark.parametrize("path", ["/vendor/bootstrap.css", "/static/console.js", "/healthz"])
def test_cacheable_answers_have_no_cookie(console: ConsoleWithKeys, path: str) -> None:
    browser = console.browser(Role.OPERATOR)
    browser.get("/shop/", headers=HTML)
    assert "Set-Cookie" not in browser.get(path).headers


def test_a_session_ends_after_twelve_hours_even_if_it_is_used(console: ConsoleWithKeys) -> None:
    answer = console.log_in(console.browser(), console.keys[Role.OPERATOR])
    cookie = next(value for value in answer.headers.getlist("Set-Cookie") if value.startswith("oms="))
    expires = parsedate_to_datetime(cookie.partition("Expires=")[2].partition(";")[0])
    assert timedelta(hours=11.9) < expires - datetime.now(UTC) < timedelta(hours=12.1)
    browser = console.browser(Role.OPERATOR)
    browser.get("/shop/", headers=HTML)
    assert "oms=" not in str(browser.get("/shop/", headers=HTML).headers)


def test_removing_a_key_ends_its_sessions(console: ConsoleWithKeys) -> None:
    browser = console.browser(Role.COURIER)
    kept = next(key for key in read_keys(console.path) if key.role is Role.COURIER)
    assert browser.get("/courier/", headers=HTML).status_code == 200
    remove_key(console.path, kept.id)
    assert browser.get("/courier/", headers=HTML).status_code == 303


def test_logging_out_ends_the_session(console: ConsoleWithKeys) -> None:
    browser = console.browser(Role.COURIER)
    answer = browser.post("/logout", data={"csrf_token": token(browser, "/courier/")}, headers=HTML)
    assert (answer.status_code, answer.location) == (303, "/login")
    assert browser.get("/courier/", headers=HTML).status_code == 303


def test_a_session_survives_a_restart_of_the_console(console: ConsoleWithKeys, tmp_path: Path) -> None:
    browser = console.browser(Role.COURIER)
    again = WebConfig(app_port=3006, api_keys_file=console.path, **TOKENS)
    after = create_app(again, console.shop, console.hub, keys=KeyFile(console.path)).test_client()
    cookie = browser.get_cookie("oms")
    assert cookie
    after.set_cookie("oms", cookie.value)
    assert after.get("/courier/", headers=HTML).status_code == 200
    assert stat.S_IMODE((tmp_path / "keys.session").stat().st_mode) == 0o600


def test_a_session_with_another_signature_is_refused(console: ConsoleWithKeys, tmp_path: Path) -> None:
    other = ConsoleWithKeys(tmp_path / "other")
    cookie = other.browser(Role.OPERATOR).get_cookie("oms")
    assert cookie
    browser = console.browser()
    browser.set_cookie("oms", cookie.value)
    assert browser.get("/operator/", headers=HTML).status_code == 303


def test_a_short_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"short")
    with pytest.raises(SecretError, match="shorter"):
        session_secret(tmp_path / "secret")
    assert session_secret(tmp_path / "new") == session_secret(tmp_path / "new")
    with pytest.raises(SecretError, match="No such file"):
        session_secret(tmp_path / "nowhere" / "secret")
