"""A page of another site can read and change nothing on any port; the documentation lists the ports."""

import os
import re
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser, Page

from launcher.paths import ROOT
from launcher.setup.browser import find_chromium
from tests.browser.conftest import BROWSER_FLAGS
from tests.browser.foreign_page import MARK, RESOLVER_RULE, attack, attack_rebound, careless_site, foreign_site
from tests.browser.listeners import Listener, listeners
from tests.e2e.client import Json
from tests.e2e.groups import System
from tests.e2e.redis_direct import Redis
from tests.e2e.shopper import Shopper

COUNTERS = {*range(9190, 9197), 19802, 19812}
"""Ports with metrics: they answer every request with counters, which contain no orders and no names."""
PUBLIC = {"GET /healthz", "GET /readyz", "GET /openapi.json", "GET /v1.0/healthz"}
DATABASES = 4
"""More Redis databases than the components use."""
_ROW = re.compile(r"^\| (\d+)(?: to (\d+))? \|[^|]*\| (loopback|every address) \|", re.MULTILINE)


@pytest.fixture(scope="module")
def foreign(browser: Browser) -> Iterator[Page]:
    """Open a page of another site, in a browser that resolves its name to this machine."""
    flags = [*BROWSER_FLAGS, RESOLVER_RULE, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with foreign_site() as address:
        other = browser.browser_type.launch(executable_path=find_chromium(), args=flags)
        page = other.new_page()
        page.goto(address)
        yield page
        other.close()


@pytest.fixture(scope="module")
def open_ports(system: System) -> list[Listener]:
    return listeners(system.stack)


@pytest.fixture(scope="module")
def before(system: System) -> Json:
    """Return an order that is being processed before the attacks."""
    shopper = Shopper(system.shop)
    return shopper.sees(shopper.orders({shopper.goods(a=5): 1}), "processing")


def test_the_documentation_lists_every_port_and_its_addresses(open_ports: list[Listener]) -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    listed: dict[int, str] = {}
    for first, last, address in _ROW.findall(text):
        listed |= dict.fromkeys(range(int(first), int(last or first) + 1), address)
    assert {listener.port: listener.address for listener in open_ports} == listed


def test_a_page_of_another_site_can_read_and_change_nothing(
    foreign: Page, open_ports: list[Listener], system: System, before: Json
) -> None:
    with careless_site() as careless:
        lines = attack(foreign, [careless, *(listener.actual_port for listener in open_ports)])
    # The attack itself works: it can read from the unprotected port.
    others = [line for line in lines if f":{careless}/" not in line]
    assert {line.split(" http")[0] for line in lines} >= {"GET", "POST of text"}
    assert not others
    changes_nothing(system, before)


def test_after_dns_rebinding_a_page_can_read_only_public_resources_and_change_nothing(
    open_ports: list[Listener], system: System, before: Json
) -> None:
    for listener in open_ports:
        if listener.port in COUNTERS:
            counters = requests.get(f"http://127.0.0.1:{listener.actual_port}/metrics", timeout=10).text
            assert before["id"] not in counters
            assert before["customerId"] not in counters
        else:
            assert set(attack_rebound(listener.actual_port)) <= PUBLIC, listener
    changes_nothing(system, before)


def changes_nothing(system: System, before: Json) -> None:
    """Check that the foreign page wrote nothing, that no order is lost, and that all services are ready."""
    for database in range(DATABASES):
        with Redis(system.stack.ports.redis, database) as redis:
            assert redis("KEYS", f"*{MARK}*") == []
    orders = [order for page in system.shop.pages("orderprocessing", "/orders", limit=1000) for order in page]
    assert before["id"] in {order["id"] for order in orders}
    assert MARK not in {order["customerId"] for order in orders}
    assert all(system.shop.is_ready(app.app_id) for app in system.stack.apps())
