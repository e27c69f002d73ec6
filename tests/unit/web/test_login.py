"""The console with API keys: users log in, see the pages of their role, and act under their own name."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from services.common.identity import Role
from services.common.server.throttle import throttle
from services.web.app import WebConfig, create_app
from services.web.auth.session_guard import ALLOWED_ROLES, PUBLIC
from services.web.live.hub import METRICS, ORDER_EVENT, Hub
from tests.unit.web.console_with_keys import HTML, JSON, ConsoleWithKeys, token
from tests.unit.web.fakes import FakeShop, order, problem


@pytest.fixture
def console(tmp_path: Path) -> ConsoleWithKeys:
    return ConsoleWithKeys(tmp_path)


def test_every_blueprint_has_its_roles(console: ConsoleWithKeys) -> None:
    groups = {rule.endpoint.rpartition(".")[0] for rule in console.app.url_map.iter_rules()}
    assert groups - {""} == ALLOWED_ROLES.keys() | PUBLIC
    alone = {rule.rule for rule in console.app.url_map.iter_rules() if "." not in rule.endpoint}
    assert alone == {"/healthz", "/readyz"}


def test_without_login_only_the_login_page_is_available(console: ConsoleWithKeys) -> None:
    browser = console.browser()
    for rule in console.app.url_map.iter_rules():
        group = rule.endpoint.rpartition(".")[0]
        if group in PUBLIC or not group:
            continue
        path = re.sub(r"<[^>]*>", "A1", rule.rule.replace("<any(dispatched, delivered):report>", "delivered"))
        if "GET" in (rule.methods or set()) and group != "live":
            answer = browser.get(path, headers=HTML)
            assert (answer.status_code, answer.location) == (303, "/login"), path
            assert browser.get(path, headers=JSON).status_code == 401
            assert browser.get(path, query_string={"part": "1"}, headers=HTML).status_code == 401
        elif group == "live":
            assert browser.get(path).status_code == 401
        else:
            assert browser.post(path, headers=JSON).status_code == 401, path
    assert not console.shop.asked
    for path in ("/healthz", "/readyz", "/static/console.js", "/vendor/bootstrap.css"):
        assert browser.get(path).status_code == 200


@pytest.mark.parametrize("role", Role)
def test_each_role_sees_its_own_pages(console: ConsoleWithKeys, role: Role) -> None:
    browser = console.browser(role)
    first = {"customer": "/shop/", "approver": "/approvals/", "courier": "/courier/", "store": "/store/"}
    first |= {"support": "/support/", "operator": "/operator/", "home": "/"}
    menu = browser.get("/", headers=HTML).text
    for group, path in first.items():
        status = browser.get(path, headers=HTML).status_code
        assert status == (200 if role in ALLOWED_ROLES[group] else 403), path
        assert (f'href="{path}"' in menu) == (role in ALLOWED_ROLES[group]), path


def test_login_leads_to_the_page_of_the_role(console: ConsoleWithKeys) -> None:
    places = {role: console.log_in(console.browser(), console.keys[role]).location for role in Role}
    assert places == {
        Role.CUSTOMER: "/shop/",
        Role.APPROVER: "/approvals/",
        Role.COURIER: "/courier/",
        Role.MANAGER: "/store/",
        Role.OPERATOR: "/",
    }


@pytest.mark.parametrize("key", ["", "oms_wrong", "some-operator"])
def test_an_unknown_key_is_refused(console: ConsoleWithKeys, key: str) -> None:
    browser = console.browser()
    answer = console.log_in(browser, key)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Session realm="oms"')
    assert key == "" or key not in answer.text
    assert browser.get("/shop/", headers=HTML).status_code == 303


def test_the_key_is_not_in_the_session(console: ConsoleWithKeys) -> None:
    browser = console.browser()
    answer = console.log_in(browser, console.keys[Role.OPERATOR])
    assert console.keys[Role.OPERATOR] not in str(answer.headers)


def test_calls_are_made_for_the_current_user(console: ConsoleWithKeys) -> None:
    browser = console.browser(Role.CUSTOMER)
    browser.get("/shop/", headers=HTML)
    browser.get("/shop/orders/A1", headers=HTML)
    assert set(console.shop.acting_for) == {"some-customer"}


def test_the_console_reads_orders_itself_for_the_courier(console: ConsoleWithKeys) -> None:
    line = {"id": "A1:1", "status": "booked", "orderId": "A1", "updatedAt": "2026-11-21T10:00:00.000Z"}
    console.shop.on("orderprocessing", "GET", "shipments/pending", [line])
    assert console.browser(Role.COURIER).get("/courier/", headers=HTML).status_code == 200
    asked = [path.partition("?")[0] for _, _, path, _ in console.shop.asked]
    assert dict(zip(asked, console.shop.acting_for, strict=True)) == {
        "shipments/pending": "some-courier",
        "orders/A1": None,
    }


def test_requests_do_not_inherit_the_previous_user(console: ConsoleWithKeys) -> None:
    console.browser(Role.CUSTOMER).get("/shop/", headers=HTML)
    console.browser(Role.OPERATOR).get("/shop/", headers=HTML)
    assert console.shop.acting_for[-1] == "some-operator"
    seen = len(console.shop.acting_for)
    assert console.browser().get("/shop/", headers=HTML).status_code == 303
    assert len(console.shop.acting_for) == seen


def test_the_key_decides_who_the_customer_is(console: ConsoleWithKeys) -> None:
    browser = console.browser(Role.CUSTOMER)
    browser.set_cookie("customer", "ann")
    console.shop.on("orderprocessing", "POST", "orders", order("A1"))
    page = browser.get("/shop/", headers=HTML).text
    assert "Orders of customer some-customer" in page
    assert "You are customer" not in page
    form = {"order": "web-1", "quantity:Vans Old Skool": "1", "csrf_token": token(browser, "/shop/")}
    assert browser.post("/shop/orders", data=form, headers=HTML).status_code == 303
    assert console.shop.calls("POST")[0][2]["customerId"] == "some-customer"
    form = {"customer": "ann", "csrf_token": form["csrf_token"]}
    assert browser.post("/shop/customer", data=form, headers=HTML).status_code == 403


@pytest.mark.parametrize("role", [Role.APPROVER, Role.OPERATOR])
def test_decisions_are_recorded_under_the_name_of_the_key(console: ConsoleWithKeys, role: Role) -> None:
    console.shop.on("orderprocessing", "POST", "orders/A1/approve", order("A1"))
    browser = console.browser(role)
    browser.set_cookie("approver", "another name")
    assert "Your name" not in browser.get("/approvals/", headers=HTML).text
    form = {"decision": "approve", "csrf_token": token(browser, "/approvals/")}
    assert browser.post("/approvals/orders/A1", data=form, headers=HTML).status_code == 303
    assert console.shop.calls("POST")[0][2] == {"approver": f"some-{role}", "approved": True}
    form = {"approver": "another name", "csrf_token": form["csrf_token"]}
    assert browser.post("/approvals/name", data=form, headers=HTML).status_code == 403


def _no_token(_valid: str) -> dict[str, str]:
    return {}


def _wrong_token(valid: str) -> dict[str, str]:
    return {"csrf_token": valid[:-2] + ("aa" if valid[-2:] != "aa" else "bb")}


@pytest.mark.parametrize("invalid_form", [_no_token, _wrong_token])
def test_a_form_without_a_valid_token_is_refused(
    console: ConsoleWithKeys, invalid_form: Callable[[str], dict[str, str]]
) -> None:
    browser = console.browser(Role.OPERATOR)
    form = invalid_form(token(browser, "/shop/"))
    for path in ("/shop/orders", "/operator/stream", "/logout"):
        answer = browser.post(path, data=form, headers=JSON)
        assert (answer.status_code, answer.mimetype) == (400, "application/problem+json"), path
    assert not console.shop.calls("POST")


def test_a_token_of_another_session_is_refused(console: ConsoleWithKeys) -> None:
    other = token(console.browser(Role.OPERATOR), "/shop/")
    answer = console.browser(Role.CUSTOMER).post("/shop/orders", data={"csrf_token": other}, headers=JSON)
    assert answer.status_code == 400


def test_every_form_that_changes_something_carries_a_token(console: ConsoleWithKeys) -> None:
    for file in Path("services/web/templates").rglob("*.html"):
        text = file.read_text()
        assert text.count('method="post"') == text.count("csrf_field()"), file


@pytest.mark.parametrize("role", Role)
def test_only_operators_receive_the_data_of_events(console: ConsoleWithKeys, role: Role) -> None:
    answer = console.browser(role).get("/live?figures=1", buffered=False)
    messages = answer.iter_encoded()
    assert b"event: feed" in next(messages)
    console.hub.publish(METRICS, {"rate": 1})
    console.hub.publish(ORDER_EVENT, {"id": "A1/1", "orderId": "A1", "type": "order.received"})
    text = next(messages)
    answer.close()
    assert b"event: order-event" in text
    assert (b"A1" in text) == (b"figures" in text) == (role is Role.OPERATOR)


def test_customers_cannot_follow_orders_of_others(console: ConsoleWithKeys) -> None:
    console.shop.on("orderprocessing", "GET", "orders/B1", problem(404, "notFound", "there is no order 'B1'"))
    browser = console.browser(Role.CUSTOMER)
    assert browser.get("/live?order=B1").status_code == 404
    answer = browser.get("/live?order=A1")
    assert answer.status_code == 200
    answer.close()


def test_rate_limits_without_a_session_do_not_affect_users(
    console: ConsoleWithKeys,
) -> None:
    throttle(console.app, WebConfig(app_port=3006, rate_limit=1))
    stranger, browser = console.browser(), console.browser(Role.COURIER)
    assert [stranger.get("/courier/", headers=HTML).status_code for _ in range(11)] == [303] * 10 + [429]
    answer = stranger.get("/courier/", headers=HTML)
    assert (answer.status_code, answer.mimetype) == (429, "text/html")
    assert int(answer.headers["Retry-After"]) >= 1
    assert browser.get("/courier/", headers=HTML).status_code == 200


def test_without_keys_there_is_no_login_page(tmp_path: Path) -> None:
    browser = create_app(WebConfig(app_port=3006), FakeShop(), Hub(1)).test_client()
    assert browser.get("/login", headers=HTML).status_code == 404
    assert browser.post("/logout", headers=HTML).status_code == 404
    page = browser.get("/", headers=HTML)
    assert "Log out" not in page.text
    assert "csrf_token" not in page.text
    assert "Set-Cookie" not in page.headers
