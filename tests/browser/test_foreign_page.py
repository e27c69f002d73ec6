"""A page of another site reads nothing from any port and changes nothing; the documents list the ports."""

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
"""Ports with metrics: they answer every request with counters, which name no order and no person."""
PUBLIC = {"GET /healthz", "GET /readyz", "GET /openapi.json", "GET /v1.0/healthz"}
DATABASES = 4
"""More than the components use of Redis."""
_ROW = re.compile(r"^\| (\d+)(?: to (\d+))? \|[^|]*\| (loopback|every address) \|", re.MULTILINE)


@pytest.fixture(scope="module")
def foreign(browser: Browser) -> Iterator[Page]:
    """Open a page of another site, in a browser in which its name leads to this machine."""
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
    """Return an order that has come as far as the courier before the attacks."""
    shopper = Shopper(system.shop)
    return shopper.sees(shopper.orders({shopper.goods(a=5): 1}), "processing")


def test_the_documents_list_every_port_and_who_may_reach_it(open_ports: list[Listener]) -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    listed: dict[int, str] = {}
    for first, last, address in _ROW.findall(text):
        listed |= dict.fromkeys(range(int(first), int(last or first) + 1), address)
    assert {one.port: one.address for one in open_ports} == listed


def test_a_page_of_another_site_reads_nothing_from_any_port_and_changes_nothing(
    foreign: Page, open_ports: list[Listener], system: System, before: Json
) -> None:
    with careless_site() as careless:
        found = attack(foreign, [careless, *(one.moved_to for one in open_ports)])
    # The attack works: it reads from a port that answers every page.
    others = [line for line in found if f":{careless}/" not in line]
    assert {line.split(" http")[0] for line in found} >= {"GET", "POST of text"}
    assert not others
    changes_nothing(system, before)


def test_dns_rebinding_gets_a_page_health_documents_and_counters_and_changes_nothing(
    open_ports: list[Listener], system: System, before: Json
) -> None:
    for one in open_ports:
        if one.port in COUNTERS:
            counters = requests.get(f"http://127.0.0.1:{one.moved_to}/metrics", timeout=10).text
            assert before["id"] not in counters
            assert before["customerId"] not in counters
        else:
            assert set(attack_rebound(one.moved_to)) <= PUBLIC, one
    changes_nothing(system, before)


def changes_nothing(system: System, before: Json) -> None:
    """Check that nothing bears the foreign page's mark, that no order is lost, and that all is ready."""
    for database in range(DATABASES):
        with Redis(system.stack.ports.redis, database) as redis:
            assert redis("KEYS", f"*{MARK}*") == []
    orders = [order for page in system.shop.pages("orderprocessing", "/orders", limit=1000) for order in page]
    assert before["id"] in {order["id"] for order in orders}
    assert MARK not in {order["customerId"] for order in orders}
    assert all(system.shop.is_ready(app.app_id) for app in system.stack.apps())
