"""The parts that all pages share."""

import pytest

from services.common.config import ConfigurationError, read
from services.common.dapr.sidecar import TransientError
from services.web.app import WebConfig, create_app
from services.web.live.hub import Hub
from tests.unit.web.fakes import FakeShop, console, order, problem

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
JSON = {"Accept": "application/json"}


@pytest.fixture
def shop() -> FakeShop:
    shop = FakeShop()
    shop.on("orderprocessing", "GET", "orders/A1", order("A1"))
    shop.on("orderprocessing", "GET", "orders/A1/timeline", [])
    return shop


def test_the_home_page_links_to_every_role(shop: FakeShop) -> None:
    browser = console(shop)
    page = browser.get("/").text
    for link in ("/shop/", "/approvals/", "/courier/", "/store/", "/support/", "/operator/"):
        assert f'href="{link}"' in page


def test_every_page_forbids_foreign_scripts_and_frames(shop: FakeShop) -> None:
    for path in ("/", "/shop/orders/A1", "/shop/orders/unknown", "/static/console.js"):
        headers = console(shop).get(path, headers=HTML).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_no_page_has_inline_scripts_or_styles_or_uses_other_hosts(shop: FakeShop) -> None:
    page = console(shop).get("/shop/orders/A1").text
    assert page.count("<script") == page.count("<script src=") + page.count('<script type="module" src=')
    assert "<style" not in page
    assert " style=" not in page
    assert "://" not in page.replace("http://www.w3.org", "")


@pytest.mark.parametrize("name", ["bootstrap.css", "chart.js"])
def test_styles_and_charts_come_from_installed_packages(shop: FakeShop, name: str) -> None:
    answer = console(shop).get(f"/vendor/{name}")
    assert answer.status_code == 200
    assert len(answer.data) > 100_000
    assert "max-age" in answer.headers["Cache-Control"]


def test_no_other_files_of_packages_are_served(shop: FakeShop) -> None:
    for name in ("chart.css", "..%2f..%2fpages.py", "bootstrap.min.css"):
        assert console(shop).get(f"/vendor/{name}", headers=HTML).status_code == 404


def test_the_live_part_of_a_page_is_served_alone(shop: FakeShop) -> None:
    part = console(shop).get("/shop/orders/A1?part=1").text
    assert "Order A1" in part
    assert "<html" not in part


def test_the_message_of_a_form_is_shown_once_on_the_next_page(shop: FakeShop) -> None:
    shop.on("orderprocessing", "POST", "orders/A1/action", order("A1"))
    browser = console(shop)
    browser.post("/shop/orders/A1/action", data={"action": "cancel"})
    message = "We are cancelling your order."
    assert message not in browser.get("/shop/orders/A1?part=1").text
    assert message in browser.get("/shop/orders/A1").text
    assert message not in browser.get("/shop/orders/A1").text


def test_the_message_cookie_is_http_only(shop: FakeShop) -> None:
    shop.on("orderprocessing", "POST", "orders/A1/action", order("A1"))
    answer = console(shop).post("/shop/orders/A1/action", data={"action": "cancel"})
    assert "; HttpOnly" in answer.headers["Set-Cookie"]


def test_a_script_that_stays_on_its_page_gets_the_message_without_a_cookie(shop: FakeShop) -> None:
    shop.on("orderprocessing", "POST", "orders/A1/action", order("A1"))
    for page, stays in {"/shop/orders/A1": True, "/shop/": None}.items():
        headers = JSON | {"Oms-Stays-On": page}
        answer = console(shop).post("/shop/orders/A1/action", data={"action": "cancel"}, headers=headers)
        assert answer.get_json().get("stays") is stays
        assert ("Set-Cookie" in answer.headers) is (stays is None)


def test_markup_in_a_message_is_escaped(shop: FakeShop) -> None:
    browser = console(shop)
    browser.post("/shop/customer", data={"customer": "<b>Riley</b>"})
    assert "You are now customer &lt;b&gt;Riley&lt;/b&gt;." in browser.get("/").text


def test_a_long_message_fits_into_a_cookie(shop: FakeShop) -> None:
    ids = [f"{number:040}:1" for number in range(100)]
    shop.on("orderprocessing", "POST", f"shipments/{ids[0].replace(':', '%3A')}/status", {"id": ids[0]})
    answer = console(shop).post("/courier/dispatched", data={"shipment": ids})
    assert answer.status_code == 303
    assert len(answer.headers["Set-Cookie"]) < 4096


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, 303),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
    ids=str,
)
def test_forms_of_other_sites_are_refused(shop: FakeShop, headers: dict[str, str], status: int) -> None:
    answer = console(shop).post("/shop/customer", data={"customer": "Riley"}, headers=headers | HTML)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("failure", "status", "text"),
    [
        (problem(404, "notFound", "there is no order 'A1'"), 404, "there is no order"),
        (problem(409, "notAllowed", "it is too late"), 409, "it is too late"),
        (problem(503, "chaos", "not now"), 503, "not now"),
        (TransientError("no answer: ReadTimeout"), 503, "is not responding"),
        (TransientError("answered 500", 500, {"errorCode": "ERR_DIRECT_INVOKE"}), 503, "is not responding"),
    ],
    ids=str,
)
def test_an_error_of_another_service_keeps_its_status(
    shop: FakeShop, failure: Exception, status: int, text: str
) -> None:
    shop.on("orderprocessing", "GET", "orders/A1", failure)
    page = console(shop).get("/shop/orders/A1", headers=HTML)
    assert (page.status_code, page.mimetype) == (status, "text/html")
    assert text in page.get_data(as_text=True).replace("&#39;", "'")
    for answer in (
        console(shop).get("/shop/orders/A1?part=1", headers=HTML),
        console(shop).get("/shop/orders/A1", headers=JSON),
    ):
        assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
        assert text in answer.get_json()["detail"]


def test_a_503_has_a_retry_after_header(shop: FakeShop) -> None:
    shop.on("orderprocessing", "GET", "orders/A1", problem(503, "away", "not now"))
    assert console(shop).get("/shop/orders/A1", headers=HTML).headers["Retry-After"] == "1"


def test_an_unknown_url_is_an_error_page(shop: FakeShop) -> None:
    answer = console(shop).get("/nowhere", headers=HTML)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert console(shop).delete("/", headers=JSON).status_code == 405


def test_an_internal_error_shows_no_traceback(shop: FakeShop) -> None:
    shop.on("orderprocessing", "GET", "orders/A1", {"id": "A1"})
    answer = console(shop).get("/shop/orders/A1", headers=HTML)
    assert answer.status_code == 500
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("path", ["/shop/orders/A1?part=1", "/shop/orders/A1"])
def test_an_internal_error_is_a_problem_for_scripts(shop: FakeShop, path: str) -> None:
    shop.on("orderprocessing", "GET", "orders/A1", {"id": "A1"})
    answer = console(shop).get(path, headers=JSON)
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert answer.get_json()["code"] == "internal"


@pytest.mark.parametrize("host", ["localhost:3006", "127.0.0.1:3006", "[::1]:3006", "[::1]", "LOCALHOST"])
def test_loopback_host_names_are_accepted(shop: FakeShop, host: str) -> None:
    browser = console(shop)
    for path in ("/", "/healthz", "/readyz"):
        assert browser.get(path, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3006", "localhost.evil.example", "[::2]:3006", "a b", ""]
)
def test_other_host_names_are_refused(shop: FakeShop, host: str) -> None:
    browser = console(shop)
    origin = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    assert browser.get("/", headers=origin | HTML).status_code == 400
    answer = browser.post("/shop/customer", data={"customer": "Riley"}, headers=origin | JSON)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "untrustedHost")


def test_host_names_can_be_configured() -> None:
    config = read(WebConfig, {"TRUSTED_HOSTS": "Shop.example, [::1]"}, app_port=3006)
    assert config.trusted_hosts == {"shop.example", "[::1]"}
    browser = create_app(config, FakeShop(), Hub(1)).test_client()
    assert browser.get("/", headers={"Host": "shop.example:80"}).status_code == 200
    assert browser.get("/", headers={"Host": "localhost"}).status_code == 400
    with pytest.raises(ConfigurationError, match="TRUSTED_HOSTS"):
        read(WebConfig, {"TRUSTED_HOSTS": " , "}, app_port=3006)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pages_of_other_sites_cannot_open_streams(shop: FakeShop, site: str) -> None:
    browser = console(shop, stream_limit=1)
    assert browser.get("/live", headers={"Sec-Fetch-Site": site}).status_code == 403
    assert browser.get("/live", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


@pytest.mark.parametrize("path", ["/shop/orders/stats", "/support/orders/stats", "/support/orders/a%20b"])
def test_an_invalid_order_id_is_not_passed_to_other_services(shop: FakeShop, path: str) -> None:
    shop.on("orderprocessing", "GET", "orders/stats", {"workerCount": 2})
    assert console(shop).get(path, headers=HTML).status_code == 404
    assert not shop.asked


def test_the_number_of_streams_is_limited(shop: FakeShop) -> None:
    browser = console(shop, stream_limit=1)
    first = browser.get("/live")
    assert first.mimetype == "text/event-stream"
    assert browser.get("/live", headers=JSON).status_code == 503
    first.close()
    assert browser.get("/live").status_code == 200


@pytest.mark.parametrize("host", ["." * 300, "a" * 64 + ".localhost", "a..localhost", "9" * 64, "a" * 5000, "x.." * 9])
@pytest.mark.parametrize("path", ["/", "/live", "/shop/orders/A1", "/nowhere", "/static/console.css"])
def test_an_invalid_host_is_a_400(shop: FakeShop, host: str, path: str) -> None:
    answer = console(shop).get(path, headers={"Host": host, **HTML})
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
