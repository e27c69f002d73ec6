"""The console of a system with API keys: people log in, do what is theirs, and are told by name."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from launcher.system.stack import Stack
from services.common.auth.api_keys import add_key, read_keys, remove_key
from services.common.identity import Role
from tests.browser.conftest import PATIENCE_MILLISECONDS, SETTINGS, picture_of
from tests.browser.test_access import found_by_axe
from tests.browser.visitor import Visitor
from tests.e2e.collector import Collector
from tests.e2e.launch import make_stack, running

PORT_OFFSET = 10000


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "keys.json"


@pytest.fixture(scope="module")
def guarded(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    add_key(path, "first", Role.OPERATOR)
    env = SETTINGS | {"API_KEYS_FILE": str(path)}
    with Collector() as collector:
        stack = make_stack(tmp_path_factory.mktemp("guarded"), PORT_OFFSET, env, collector.address)
        with running(stack):
            yield stack


@pytest.fixture
def visitors(browser: Browser, guarded: Stack, request: pytest.FixtureRequest) -> Iterator[list[Visitor]]:
    """Collect visitors, whose pages must not have done what pages may not."""
    met: list[Visitor] = []
    yield met
    complaints = [one for visitor in met for one in visitor.complaints()]
    for number, visitor in enumerate(met):
        visitor.keep(picture_of(request.node).with_stem(f"{picture_of(request.node).stem}-{number + 1}"))
        visitor.context.close()
    assert not complaints, "\n".join(complaints)


class Front:
    """The door of the house: lets people in, each with a browser and a key of his own."""

    def __init__(self, browser: Browser, stack: Stack, path: Path, met: list[Visitor]) -> None:
        self._browser, self._address, self._path, self._met = browser, stack.address("web"), path, met

    def visitor(self) -> Visitor:
        context = self._browser.new_context(base_url=self._address, reduced_motion="reduce")
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        self._met.append(Visitor(context, self._address))
        return self._met[-1]

    def person(self, name: str, role: Role) -> Visitor:
        visitor = self.visitor()
        visitor.goes_to("/")
        log_in(visitor.page, add_key(self._path, name, role)[0])
        expect(visitor.page.get_by_text(f"You are logged in as {name}, {role}.")).to_be_visible()
        return visitor


def log_in(page: Page, key: str) -> None:
    page.get_by_label("Your API key").fill(key)
    page.get_by_role("button", name="Log in").click()


@pytest.fixture
def front(browser: Browser, guarded: Stack, path: Path, visitors: list[Visitor]) -> Front:
    return Front(browser, guarded, path, visitors)


def test_a_dear_order_is_placed_and_approved_by_people_who_have_logged_in(front: Front) -> None:
    ann, chris = front.person("ann", Role.CUSTOMER), front.person("Chris", Role.APPROVER)
    expect(ann.page.get_by_role("heading", name="Orders of customer ann")).to_be_visible()
    assert not found_by_axe(ann)
    ann.page.get_by_text("Or fill a cart").click()
    ann.page.get_by_label("iPhone").fill("1")
    ann.page.locator("#cart").get_by_role("button", name="Order").click()
    order_id = ann.order_id()
    # The pages follow what happens, also where they are told no more than that something does.
    chris.page.get_by_role("button", name=f"Approve order {order_id}").click()
    expect(chris.page.get_by_text(f"Order {order_id} is approved.")).to_be_visible()
    expect(ann.page.get_by_text("Chris")).to_be_visible()
    expect(ann.page.locator("header nav li")).to_have_text(["Customer"])
    expect(chris.page.locator("header nav li")).to_have_text(["Approver"])


def test_a_wrong_key_opens_nothing_and_the_page_says_so(front: Front) -> None:
    visitor = front.visitor()
    visitor.excuse("401")
    visitor.goes_to("/operator/")
    expect(visitor.heading()).to_have_text("Log in")
    assert not found_by_axe(visitor)
    log_in(visitor.page, "oms_wrong")
    expect(visitor.page.get_by_text("this key is not known")).to_be_visible()
    expect(visitor.page.locator("header nav li")).to_have_count(0)


def test_one_logs_out_and_a_key_that_is_taken_away_ends_what_it_began(front: Front, path: Path) -> None:
    kim, max_ = front.person("Kim", Role.COURIER), front.person("Max", Role.MANAGER)
    kim.presses("Log out")
    expect(kim.heading()).to_have_text("Log in")
    kim.goes_to("/courier/")
    expect(kim.heading()).to_have_text("Log in")
    remove_key(path, next(one.id for one in read_keys(path) if one.name == "Max"))
    max_.goes_to("/store/")
    expect(max_.heading()).to_have_text("Log in")
