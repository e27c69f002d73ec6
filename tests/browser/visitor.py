"""Somebody with a browser of their own, which notes what no page may do."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, Response, expect

from tests.e2e.polling import eventually

NAMES = ("<img src=x onerror=struck(1)>", '"><svg onload=struck(2)>')
"""Names of people and goods that would run where a page does not treat them as text."""
HOSTILE = "".join(NAMES) + "'></textarea><script>struck(3)</script>"
"""All that at once, as long as a name may be."""


class Visitor:
    """A person before a browser: opens pages, presses buttons, reads."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context, self._address = context, address
        self.trouble: list[str] = []
        self.live: list[Request] = []
        self.ended: list[Request] = []
        self._excused = ""
        context.expose_binding("struck", lambda _source, number: self._note(f"hostile text {number} ran"))
        context.on("console", self._on_console)
        context.on("weberror", lambda one: self._note(f"an error in a script: {one.error}"))
        context.on("request", self._on_request)
        context.on("requestfailed", self._on_end)
        context.on("requestfinished", self._on_end)
        self.page = context.new_page()

    def another_tab(self) -> Page:
        """Open a second page in the same browser."""
        return self.context.new_page()

    def excuse(self, pattern: str) -> None:
        """Say which trouble a test is about, as a regular expression: it does not count."""
        self._excused = pattern

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
        """Say in the shop who to be."""
        self.goes_to("/shop/")
        self.page.get_by_label("You are customer").fill(customer)
        self.presses("Change")
        expect(self.page.get_by_role("heading", name=f"Orders of customer {customer}")).to_be_visible()
        self._is_loaded()

    def presses(self, name: str | re.Pattern[str]) -> None:
        """Press the one button of that name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def cancels(self) -> None:
        """Cancel the order that the page shows, which takes a second step."""
        self.page.get_by_text("Cancel the order", exact=True).click()
        self.presses("Yes, cancel it")

    def heading(self) -> Locator:
        """Return what the page is about."""
        return self.page.get_by_role("heading", level=1)

    def part(self, title: str) -> Locator:
        """Return the part of the page that has this heading."""
        heading = self.page.get_by_role("heading", name=title, exact=True)
        return self.page.locator("form, section").filter(has=heading).last

    def says(self) -> Locator:
        """Return what the page says about what was just done."""
        return self.page.locator("#notice")

    def is_live(self, page: Page | None = None) -> None:
        """Wait until a page hears what happens."""
        expect((page or self.page).locator("#live-state")).to_have_text("Live")

    def sees(self, look: Callable[[], bool]) -> None:
        """Wait for something that the browser has to tell, which it does only while it is asked something."""
        eventually(lambda: (self.page.evaluate("1"), look())[1])

    def stops_hearing(self) -> None:
        """Keep the page as it is from now on, as one is that has not heard of the latest yet."""
        self.page.route("**/*part=1*", lambda route: route.abort())

    def marks(self, page: Page | None = None) -> None:
        """Leave a mark on a page that a reload would take away."""
        (page or self.page).evaluate("window.marked = true")

    def was_not_reloaded(self, page: Page | None = None) -> bool:
        """Tell whether the mark is still there."""
        return bool((page or self.page).evaluate("window.marked === true"))

    def order_id(self) -> str:
        """Return the id of the order that the page shows, from its address."""
        self.page.wait_for_url("**/orders/*")
        return urlsplit(self.page.url).path.rsplit("/", 1)[-1]

    def keep(self, file: Path) -> None:
        """Keep a picture of each page that is open."""
        for number, page in enumerate(self.context.pages):
            page.screenshot(path=file.with_stem(f"{file.stem}{f'-{number + 1}' if number else ''}"), full_page=True)

    def complaints(self) -> list[str]:
        """Return the trouble that the test is not about."""
        return [one for one in self.trouble if not (self._excused and re.search(self._excused, one))]

    def _is_loaded(self) -> None:
        # A page is to be seen before its scripts run, and a form sent then is answered by a page of its own.
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

    def _note(self, trouble: str) -> None:
        self.trouble.append(trouble)
