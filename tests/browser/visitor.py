"""A visitor with their own browser, which records the errors of the pages."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, Response, expect

from tests.e2e.polling import eventually

NAMES = ("<img src=x onerror=hacked(1)>", '"><svg onload=hacked(2)>')
"""Names of customers and goods that run scripts if a page does not escape them."""
HOSTILE = "".join(NAMES) + "'></textarea><script>hacked(3)</script>"
"""All of them, within the length limit of a name."""


class Visitor:
    """Opens pages, presses buttons and reads texts."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context, self._address = context, address
        self.errors: list[str] = []
        self.live: list[Request] = []
        self.ended: list[Request] = []
        self._expected = ""
        context.expose_binding("hacked", lambda _source, number: self._note(f"hostile text {number} ran"))
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self._note(f"an error in a script: {error.error}"))
        context.on("request", self._on_request)
        context.on("requestfailed", self._on_end)
        context.on("requestfinished", self._on_end)
        self.page = context.new_page()

    def another_tab(self) -> Page:
        """Open a second page in the same browser."""
        return self.context.new_page()

    def expect_errors(self, pattern: str) -> None:
        """Expect errors that match a regular expression."""
        self._expected = pattern

    def goes_to(self, path: str) -> Response:
        """Open a page and wait until its scripts run."""
        answer = self.page.goto(path)
        assert answer is not None
        return answer

    def is_role(self, name: str) -> None:
        """Go to a role's first page, by the link that every page has."""
        self.goes_to("/")
        self.page.get_by_role("navigation", name="Roles").get_by_role("link", name=name, exact=True).click()
        expect(self.page.locator("header [aria-current]")).to_have_text(name)
        self._is_loaded()

    def is_customer(self, customer: str) -> None:
        """Choose the customer in the shop."""
        self.goes_to("/shop/")
        self.page.get_by_label("You are customer").fill(customer)
        self.presses("Change")
        expect(self.page.get_by_role("heading", name=f"Orders of customer {customer}")).to_be_visible()
        self._is_loaded()

    def presses(self, name: str | re.Pattern[str]) -> None:
        """Press the one button of that name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def cancels(self) -> None:
        """Cancel the order that the page shows, and confirm."""
        self.page.get_by_text("Cancel the order", exact=True).click()
        self.presses("Yes, cancel the order")

    def heading(self) -> Locator:
        """Return the title of the page."""
        return self.page.get_by_role("heading", level=1)

    def part(self, title: str) -> Locator:
        """Return the section of the page with this heading."""
        heading = self.page.get_by_role("heading", name=title, exact=True)
        return self.page.locator("form, section").filter(has=heading).last

    def messages(self) -> Locator:
        """Return the messages of the page."""
        return self.page.locator("#notice")

    def is_live(self, page: Page | None = None) -> None:
        """Wait until a page receives events."""
        expect((page or self.page).locator("#live-state")).to_have_text("Live")

    def waits_for(self, condition: Callable[[], bool]) -> None:
        """Wait for an event of the browser; Playwright delivers them only during calls."""
        eventually(lambda: (self.page.evaluate("1"), condition())[1])

    def stops_updating(self) -> None:
        """Block updates of the page, so that it shows outdated information."""
        self.page.route("**/*part=1*", lambda route: route.abort())

    def marks(self, page: Page | None = None) -> None:
        """Mark a page; a reload removes the mark."""
        (page or self.page).evaluate("window.marked = true")

    def was_not_reloaded(self, page: Page | None = None) -> bool:
        """Return whether the mark is still there."""
        return bool((page or self.page).evaluate("window.marked === true"))

    def order_id(self) -> str:
        """Return the id of the order that the page shows, from its address."""
        self.page.wait_for_url("**/orders/*")
        return urlsplit(self.page.url).path.rsplit("/", 1)[-1]

    def take_screenshots(self, file: Path) -> None:
        """Save a screenshot of each open page."""
        for number, page in enumerate(self.context.pages):
            page.screenshot(path=file.with_stem(f"{file.stem}{f'-{number + 1}' if number else ''}"), full_page=True)

    def unexpected_errors(self) -> list[str]:
        """Return the errors that the test does not expect."""
        return [error for error in self.errors if not (self._expected and re.search(self._expected, error))]

    def _is_loaded(self) -> None:
        # A form that is sent before the scripts run loads a new page.
        self.page.wait_for_load_state()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            self._note(f"on the console: {message.text} ({message.location.get('url')})")

    def _on_request(self, request: Request) -> None:
        target = urlsplit(request.url)
        if target.scheme not in {"data", "blob"} and target.netloc != urlsplit(self._address).netloc:
            self._note(f"a request to another host: {request.url}")
        if target.path == "/live":
            self.live.append(request)

    def _on_end(self, request: Request) -> None:
        self.ended.append(request)

    def _note(self, error: str) -> None:
        self.errors.append(error)
