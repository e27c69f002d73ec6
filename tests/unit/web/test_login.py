"""The console that knows people: they log in with a key, see the pages of their role, and act in their own name."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from services.common.identity import Role
from services.common.server.throttle import throttle
from services.web.app import WebConfig, create_app
from services.web.auth.session_guard import FOR_EVERYBODY, PAGES
from services.web.live.hub import FIGURES, ORDER_EVENT, Hub
from tests.unit.web.fakes import FakeShop, order, problem
from tests.unit.web.house import HTML, JSON, House, token


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_every_page_belongs_to_a_group_and_every_group_has_its_roles(house: House) -> None:
    groups = {rule.endpoint.rpartition(".")[0] for rule in house.app.url_map.iter_rules()}
    assert groups - {""} == PAGES.keys() | FOR_EVERYBODY
    alone = {rule.rule for rule in house.app.url_map.iter_rules() if "." not in rule.endpoint}
    assert alone == {"/healthz", "/readyz"}


def test_who_has_not_logged_in_sees_the_login_only(house: House) -> None:
    browser = house.browser()
    for rule in house.app.url_map.iter_rules():
        group = rule.endpoint.rpartition(".")[0]
        if group in FOR_EVERYBODY or not group:
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
    assert not house.shop.asked
    for path in ("/healthz", "/readyz", "/static/console.js", "/vendor/bootstrap.css"):
        assert browser.get(path).status_code == 200


@pytest.mark.parametrize("role", Role)
def test_each_role_sees_its_own_pages(house: House, role: Role) -> None:
    browser = house.browser(role)
    first = {"customer": "/shop/", "approver": "/approvals/", "courier": "/courier/", "store": "/store/"}
    first |= {"support": "/support/", "operator": "/operator/", "home": "/"}
    menu = browser.get("/", headers=HTML).text
    for group, path in first.items():
        status = browser.get(path, headers=HTML).status_code
        assert status == (200 if role in PAGES[group] else 403), path
        assert (f'href="{path}"' in menu) == (role in PAGES[group]), path


def test_one_begins_on_ones_own_page(house: House) -> None:
    places = {role: house.log_in(house.browser(), house.keys[role]).location for role in Role}
    assert places == {
        Role.CUSTOMER: "/shop/",
        Role.APPROVER: "/approvals/",
        Role.COURIER: "/courier/",
        Role.MANAGER: "/store/",
        Role.OPERATOR: "/",
    }


@pytest.mark.parametrize("key", ["", "oms_wrong", "some-operator"])
def test_a_key_that_there_is_not_opens_nothing(house: House, key: str) -> None:
    browser = house.browser()
    answer = house.log_in(browser, key)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Session realm="oms"')
    assert key == "" or key not in answer.text
    assert browser.get("/shop/", headers=HTML).status_code == 303


def test_the_key_is_not_in_the_session(house: House) -> None:
    browser = house.browser()
    answer = house.log_in(browser, house.keys[Role.OPERATOR])
    assert house.keys[Role.OPERATOR] not in str(answer.headers)


def test_calls_are_made_in_the_name_of_who_has_logged_in(house: House) -> None:
    browser = house.browser(Role.CUSTOMER)
    browser.get("/shop/", headers=HTML)
    browser.get("/shop/orders/A1", headers=HTML)
    assert set(house.shop.in_the_name_of) == {"some-customer"}


def test_what_a_courier_may_not_see_the_console_asks_for_itself(house: House) -> None:
    line = {"id": "A1:1", "status": "booked", "orderId": "A1", "updatedAt": "2026-11-21T10:00:00.000Z"}
    house.shop.on("orderprocessing", "GET", "shipments/pending", [line])
    assert house.browser(Role.COURIER).get("/courier/", headers=HTML).status_code == 200
    asked = [path.partition("?")[0] for _, _, path, _ in house.shop.asked]
    assert dict(zip(asked, house.shop.in_the_name_of, strict=True)) == {
        "shipments/pending": "some-courier",
        "orders/A1": None,
    }


def test_nobody_acts_for_the_one_before(house: House) -> None:
    house.browser(Role.CUSTOMER).get("/shop/", headers=HTML)
    house.browser(Role.OPERATOR).get("/shop/", headers=HTML)
    assert house.shop.in_the_name_of[-1] == "some-operator"
    seen = len(house.shop.in_the_name_of)
    assert house.browser().get("/shop/", headers=HTML).status_code == 303
    assert len(house.shop.in_the_name_of) == seen


def test_a_customer_is_who_the_key_says_whatever_the_browser_says(house: House) -> None:
    browser = house.browser(Role.CUSTOMER)
    browser.set_cookie("customer", "ann")
    house.shop.on("orderprocessing", "POST", "orders", order("A1"))
    page = browser.get("/shop/", headers=HTML).text
    assert "Orders of customer some-customer" in page
    assert "You are customer" not in page
    form = {"order": "web-1", "quantity:Vans Old Skool": "1", "csrf_token": token(browser, "/shop/")}
    assert browser.post("/shop/orders", data=form, headers=HTML).status_code == 303
    assert house.shop.calls("POST")[0][2]["customerId"] == "some-customer"
    form = {"customer": "ann", "csrf_token": form["csrf_token"]}
    assert browser.post("/shop/customer", data=form, headers=HTML).status_code == 403


@pytest.mark.parametrize("role", [Role.APPROVER, Role.OPERATOR])
def test_whoever_decides_decides_in_his_own_name(house: House, role: Role) -> None:
    house.shop.on("orderprocessing", "POST", "orders/A1/approve", order("A1"))
    browser = house.browser(role)
    browser.set_cookie("approver", "somebody else")
    assert "Your name" not in browser.get("/approvals/", headers=HTML).text
    form = {"decision": "approve", "csrf_token": token(browser, "/approvals/")}
    assert browser.post("/approvals/orders/A1", data=form, headers=HTML).status_code == 303
    assert house.shop.calls("POST")[0][2] == {"approver": f"some-{role}", "approved": True}
    form = {"approver": "somebody else", "csrf_token": form["csrf_token"]}
    assert browser.post("/approvals/name", data=form, headers=HTML).status_code == 403


def _none(_right: str) -> dict[str, str]:
    return {}


def _wrong(right: str) -> dict[str, str]:
    return {"csrf_token": right[:-2] + ("aa" if right[-2:] != "aa" else "bb")}


@pytest.mark.parametrize("spoilt", [_none, _wrong])
def test_a_form_without_the_sessions_token_is_not_taken(house: House, spoilt: Callable[[str], dict[str, str]]) -> None:
    browser = house.browser(Role.OPERATOR)
    form = spoilt(token(browser, "/shop/"))
    for path in ("/shop/orders", "/operator/stream", "/logout"):
        answer = browser.post(path, data=form, headers=JSON)
        assert (answer.status_code, answer.mimetype) == (400, "application/problem+json"), path
    assert not house.shop.calls("POST")


def test_a_token_of_another_session_will_not_do(house: House) -> None:
    other = token(house.browser(Role.OPERATOR), "/shop/")
    answer = house.browser(Role.CUSTOMER).post("/shop/orders", data={"csrf_token": other}, headers=JSON)
    assert answer.status_code == 400


def test_every_form_that_changes_something_carries_a_token(house: House) -> None:
    for file in Path("services/web/templates").rglob("*.html"):
        text = file.read_text()
        assert text.count('method="post"') == text.count("csrf_field()"), file


@pytest.mark.parametrize("role", Role)
def test_only_an_operator_hears_what_happened_others_that_something_did(house: House, role: Role) -> None:
    answer = house.browser(role).get("/live?figures=1", buffered=False)
    told = answer.iter_encoded()
    assert b"event: feed" in next(told)
    house.hub.tell(FIGURES, {"rate": 1})
    house.hub.tell(ORDER_EVENT, {"id": "A1/1", "orderId": "A1", "type": "order.received"})
    text = next(told)
    answer.close()
    assert b"event: order-event" in text
    assert (b"A1" in text) == (b"figures" in text) == (role is Role.OPERATOR)


def test_a_customer_follows_no_order_of_another(house: House) -> None:
    house.shop.on("orderprocessing", "GET", "orders/B1", problem(404, "notFound", "there is no order 'B1'"))
    browser = house.browser(Role.CUSTOMER)
    assert browser.get("/live?order=B1").status_code == 404
    answer = browser.get("/live?order=A1")
    assert answer.status_code == 200
    answer.close()


def test_a_flood_without_a_session_is_refused_and_takes_nothing_from_those_who_have_one(house: House) -> None:
    throttle(house.app, WebConfig(app_port=3006, rate_limit=1))
    stranger, browser = house.browser(), house.browser(Role.COURIER)
    assert [stranger.get("/courier/", headers=HTML).status_code for _ in range(11)] == [303] * 10 + [429]
    answer = stranger.get("/courier/", headers=HTML)
    assert (answer.status_code, answer.mimetype) == (429, "text/html")
    assert int(answer.headers["Retry-After"]) >= 1
    assert browser.get("/courier/", headers=HTML).status_code == 200


def test_where_nobody_logs_in_there_is_no_login(tmp_path: Path) -> None:
    browser = create_app(WebConfig(app_port=3006), FakeShop(), Hub(1)).test_client()
    assert browser.get("/login", headers=HTML).status_code == 404
    assert browser.post("/logout", headers=HTML).status_code == 404
    page = browser.get("/", headers=HTML)
    assert "Log out" not in page.text
    assert "csrf_token" not in page.text
    assert "Set-Cookie" not in page.headers
