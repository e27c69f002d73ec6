"""What all browser tests share: one running system, one Chromium, a visitor for each test, pictures of how it ended."""

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
from tests.browser.tour import Furniture, furnish
from tests.browser.visitor import Visitor
from tests.e2e.client import Shop
from tests.e2e.collector import Collector
from tests.e2e.groups import System
from tests.e2e.launch import PATIENT, make_stack, running
from tests.e2e.shopper import Shopper

PORT_OFFSET = 7000
PICTURES = DEFAULT_STATE / "screenshots"
PATIENCE_MILLISECONDS = 30_000
"""Far more than anything here takes, because the machine may be busy with other things."""

SETTINGS = PATIENT | {
    # No deadline comes; this one is short enough to be counted down in seconds.
    "ORDER_ACTION_TIMEOUT": "60",
    "CHAOS_ENABLED": "true",
    # A page that was left may hold its stream for half a minute, and a test leaves more pages than a person does.
    "SERVER_THREADS": "160",
    "STREAM_LIMIT": "100",
}

QUIET = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
"""A browser that asks nobody anything by itself."""

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
        report.sections.append(("pictures of the pages", f"{picture_of(item)}"))
        report.sections.append(("logs of the system", f"{item.config.stash.get(_LOGS, None)}/logs"))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"The pages as each browser test left them: {PICTURES}")


def picture_of(item: pytest.Item) -> Path:
    """Return where the picture of a test is kept: failed ones come first."""
    name = re.sub(r"[^a-z0-9]+", "-", f"{item.path.stem} {item.name}".replace("test_", "").lower()).strip("-")
    return PICTURES / f"{'FAILED-' if item.stash.get(_FAILED, False) else ''}{name[:120]}.png"


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
def furniture(shop: Shop) -> Furniture:
    return furnish(shop)


@pytest.fixture
def shopper(shop: Shop) -> Shopper:
    return Shopper(shop)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    program = find_chromium()
    assert program, "no Chromium here: `python3 -m launcher browser` gets one"
    # Chromium's sandbox does not start as root.
    flags = [*QUIET, "--no-sandbox"] if os.geteuid() == 0 else QUIET
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def new_visitor(browser: Browser, shop: Shop, request: pytest.FixtureRequest) -> Iterator[NewVisitor]:
    """Make visitors, each with a browser of their own; at the end, what their pages did is judged."""
    visitors: list[Visitor] = []
    address = shop.address_of("web")

    def make(**options: Any) -> Visitor:
        # Colours that are still fading in are measured wrong, and buttons that move are waited for.
        context = browser.new_context(base_url=address, reduced_motion="reduce", **options)
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        visitors.append(Visitor(context, address))
        return visitors[-1]

    yield make
    complaints = [one for visitor in visitors for one in visitor.complaints()]
    request.node.stash[_FAILED] = request.node.stash.get(_FAILED, False) or bool(complaints)
    file = picture_of(request.node)
    for number, visitor in enumerate(visitors):
        visitor.keep(file.with_stem(f"{file.stem}{f'-visitor-{number + 1}' if number else ''}"))
        visitor.context.close()
    assert not complaints, "\n".join(["the pages did what they may not:", *complaints])


@pytest.fixture
def visitor(new_visitor: NewVisitor) -> Visitor:
    return new_visitor()
