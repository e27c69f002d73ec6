"""The feed's page: it is safe to show, and brings what it needs itself."""

import re

from tests.unit.notifications.builders import Service


def test_the_page_loads_all_resources_from_this_service() -> None:
    service = Service()
    page = service.client.get("/")
    text = page.get_data(as_text=True)
    assert page.mimetype == "text/html"
    needed = re.findall(r'(?:src|href)="(/(?:static|docs)/[^"]+)"', text)
    assert {name.rsplit(".")[-1] for name in needed} == {"css", "js", "svg"}
    for name in needed:
        answer = service.client.get(name)
        assert answer.status_code == 200
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        # No address of a host is fetched: the namespace of SVG, and links in Bootstrap's comments.
        text_of_file = re.sub(r"/\*.*?\*/", "", answer.get_data(as_text=True), flags=re.DOTALL)
        assert set(re.findall(r"https?://[\w./]+", text_of_file)) <= {"http://www.w3.org/2000/svg"}
    assert "http" not in text


def test_the_page_allows_no_foreign_and_no_inline_code() -> None:
    page = Service().client.get("/")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    text = page.get_data(as_text=True)
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)


def test_the_script_never_writes_markup() -> None:
    script = Service().client.get("/static/feed.js").get_data(as_text=True)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", script)


def test_an_order_id_in_the_address_is_shown_as_text() -> None:
    text = Service().client.get('/?orderId="><script>alert(1)</script>').get_data(as_text=True)
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text


def test_the_service_says_that_it_is_alive_and_ready() -> None:
    client = Service().client
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
