"""Fixtures of all browser tests: one running system, one Chromium, a visitor for each test, and final screenshots."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from launcher.paths import DEFAULT_STATE
from launcher.setup.browser import find_chromium
from tests.browser.tour import TourOrders, place_tour_orders
from tests.browser.visitor import Visitor
from tests.e2e.client import Shop
from tests.e2e.collector import Collector
from tests.e2e.groups import System
from tests.e2e.launch import PATIENT, make_stack, running
from tests.e2e.shopper import Shopper

PORT_OFFSET = 7000
SCREENSHOTS = DEFAULT_STATE / "screenshots"
TIMEOUT_MILLISECONDS = 30_000
"""Much longer than any step takes, because the machine may be busy."""

SETTINGS = PATIENT | {
    # Long enough never to expire, and short enough for a countdown in seconds.
    "ORDER_ACTION_TIMEOUT": "60",
    "CHAOS_ENABLED": "true",
    # A closed page may hold its stream for half a minute, and tests close more pages than users do.
    "SERVER_THREADS": "160",
    "STREAM_LIMIT": "100",
}

BROWSER_FLAGS = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
"""Turn off the requests that the browser makes by itself."""

NewVisitor = Callable[..., Visitor]
_HERE = Path(__file__).parent
_FAILED = pytest.StashKey[bool]()
_LOGS = pytest.StashKey[Path]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker("e2e")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
        report.sections.append(("screenshots", f"{screenshot_path(item)}"))
        report.sections.append(("logs of the system", f"{item.config.stash.get(_LOGS, None)}/logs"))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"Screenshots of the last state of each browser test: {SCREENSHOTS}")


def screenshot_path(item: pytest.Item) -> Path:
    """Return the path of a test's screenshot; failed tests sort first."""
    name = re.sub(r"[^a-z0-9]+", "-", f"{item.path.stem} {item.name}".replace("test_", "").lower()).strip("-")
    return SCREENSHOTS / f"{'FAILED-' if item.stash.get(_FAILED, False) else ''}{name[:120]}.png"


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system")
    pytestconfig.stash[_LOGS] = folder
    with Collector() as collector, running(make_stack(folder, PORT_OFFSET, SETTINGS, collector.address)) as system:
        yield system


@pytest.fixture(scope="session")
def shop(system: System) -> Shop:
    return system.shop


@pytest.fixture(scope="session")
def tour_orders(shop: Shop) -> TourOrders:
    return place_tour_orders(shop)


@pytest.fixture
def shopper(shop: Shop) -> Shopper:
    return Shopper(shop)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    shutil.rmtree(SCREENSHOTS, ignore_errors=True)
    SCREENSHOTS.mkdir(parents=True)
    program = find_chromium()
    assert program, "Chromium is missing; install it with `python3 -m launcher browser`"
    # Chromium's sandbox does not start as root.
    flags = [*BROWSER_FLAGS, "--no-sandbox"] if os.geteuid() == 0 else BROWSER_FLAGS
    expect.set_options(timeout=TIMEOUT_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def new_visitor(browser: Browser, shop: Shop, request: pytest.FixtureRequest) -> Iterator[NewVisitor]:
    """Create visitors, each with their own browser; afterwards check that their pages caused no errors."""
    visitors: list[Visitor] = []
    address = shop.address_of("web")

    def make(**options: Any) -> Visitor:
        # Without animations, colors and positions are final at once.
        context = browser.new_context(base_url=address, reduced_motion="reduce", **options)
        context.set_default_timeout(TIMEOUT_MILLISECONDS)
        visitors.append(Visitor(context, address))
        return visitors[-1]

    yield make
    errors = [error for visitor in visitors for error in visitor.unexpected_errors()]
    request.node.stash[_FAILED] = request.node.stash.get(_FAILED, False) or bool(errors)
    file = screenshot_path(request.node)
    for number, visitor in enumerate(visitors):
        visitor.take_screenshots(file.with_stem(f"{file.stem}{f'-visitor-{number + 1}' if number else ''}"))
        visitor.context.close()
    assert not errors, "\n".join(["the pages caused errors:", *errors])


@pytest.fixture
def visitor(new_visitor: NewVisitor) -> Visitor:
    return new_visitor()
