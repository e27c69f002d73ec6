"""The console of a system with API keys: users log in and act under their own name."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from launcher.system.stack import Stack
from services.common.auth.api_keys import add_key, read_keys, remove_key
from services.common.identity import Role
from tests.browser.conftest import SETTINGS, TIMEOUT_MILLISECONDS, screenshot_path
from tests.browser.test_access import axe_violations
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
    """Collect visitors, and check that their pages caused no errors."""
    created: list[Visitor] = []
    yield created
    errors = [error for visitor in created for error in visitor.unexpected_errors()]
    for number, visitor in enumerate(created):
        visitor.take_screenshots(
            screenshot_path(request.node).with_stem(f"{screenshot_path(request.node).stem}-{number + 1}")
        )
        visitor.context.close()
    assert not errors, "\n".join(errors)


class UserFactory:
    """Creates logged-in users, each with their own browser and key."""

    def __init__(self, browser: Browser, stack: Stack, path: Path, created: list[Visitor]) -> None:
        self._browser, self._address, self._path, self._created = browser, stack.address("web"), path, created

    def visitor(self) -> Visitor:
        context = self._browser.new_context(base_url=self._address, reduced_motion="reduce")
        context.set_default_timeout(TIMEOUT_MILLISECONDS)
        self._created.append(Visitor(context, self._address))
        return self._created[-1]

    def log_in(self, name: str, role: Role) -> Visitor:
        visitor = self.visitor()
        visitor.goes_to("/")
        log_in(visitor.page, add_key(self._path, name, role)[0])
        expect(visitor.page.get_by_text(f"You are logged in as {name}, {role}.")).to_be_visible()
        return visitor


def log_in(page: Page, key: str) -> None:
    page.get_by_label("Your API key").fill(key)
    page.get_by_role("button", name="Log in").click()


@pytest.fixture
def users(browser: Browser, guarded: Stack, path: Path, visitors: list[Visitor]) -> UserFactory:
    return UserFactory(browser, guarded, path, visitors)


def test_logged_in_users_place_and_approve_a_large_order(users: UserFactory) -> None:
    ann, chris = users.log_in("ann", Role.CUSTOMER), users.log_in("Chris", Role.APPROVER)
    expect(ann.page.get_by_role("heading", name="Orders of customer ann")).to_be_visible()
    assert not axe_violations(ann)
    ann.page.get_by_text("Fill a cart").click()
    ann.page.get_by_label("iPhone").fill("1")
    ann.page.locator("#cart").get_by_role("button", name="Order").click()
    order_id = ann.order_id()
    # The pages are live, although these roles receive no event data.
    chris.page.get_by_role("button", name=f"Approve order {order_id}").click()
    expect(chris.page.get_by_text(f"Order {order_id} is approved.")).to_be_visible()
    expect(ann.page.get_by_text("Chris")).to_be_visible()
    expect(ann.page.locator("header nav li")).to_have_text(["Customer"])
    expect(chris.page.locator("header nav li")).to_have_text(["Approver"])


def test_an_unknown_key_is_refused(users: UserFactory) -> None:
    visitor = users.visitor()
    visitor.expect_errors("401")
    visitor.goes_to("/operator/")
    expect(visitor.heading()).to_have_text("Log in")
    assert not axe_violations(visitor)
    log_in(visitor.page, "oms_wrong")
    expect(visitor.page.get_by_text("unknown API key")).to_be_visible()
    expect(visitor.page.locator("header nav li")).to_have_count(0)


def test_logging_out_and_removing_a_key_end_the_session(users: UserFactory, path: Path) -> None:
    kim, max_ = users.log_in("Kim", Role.COURIER), users.log_in("Max", Role.MANAGER)
    kim.presses("Log out")
    expect(kim.heading()).to_have_text("Log in")
    kim.goes_to("/courier/")
    expect(kim.heading()).to_have_text("Log in")
    remove_key(path, next(key.id for key in read_keys(path) if key.name == "Max"))
    max_.goes_to("/store/")
    expect(max_.heading()).to_have_text("Log in")
