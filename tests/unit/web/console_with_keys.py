"""A console with API keys, and browsers to log in with."""

import re
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from services.common.auth.api_keys import KeyFile, add_key
from services.common.identity import Role
from services.web.app import WebConfig, create_app
from services.web.live.hub import Hub
from tests.unit.web.fakes import FakeShop, item, order

TOKENS: dict[str, Any] = {"app_api_token": "a", "dapr_api_token": "d"}
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
JSON = {"Accept": "application/json"}


class ConsoleWithKeys:
    """A console with one API key for each role."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.path = folder / "keys.json"
        self.keys = {role: add_key(self.path, f"some-{role}", role)[0] for role in Role}
        self.shop, self.hub = FakeShop(), Hub(4)
        self.shop.on("orderprocessing", "GET", "orders/A1", order("A1"))
        self.shop.on("orderprocessing", "GET", "orders/A1/timeline", [])
        self.shop.on("orderprocessing", "GET", "orders", [])
        self.shop.on("orderprocessing", "GET", "shipments/pending", [])
        self.shop.on("inventory", "GET", "inventory", [item("Vans Old Skool", 6000, 5000)])
        config = WebConfig(app_port=3006, api_keys_file=self.path, **TOKENS, **settings)
        self.app: Flask = create_app(config, self.shop, self.hub, keys=KeyFile(self.path))

    def browser(self, role: Role | None = None) -> FlaskClient:
        browser = self.app.test_client()
        if role is not None:
            assert self.log_in(browser, self.keys[role]).status_code == 303
        return browser

    def log_in(self, browser: FlaskClient, key: str) -> Any:
        return browser.post("/login", data={"key": key, "csrf_token": token(browser, "/login")}, headers=HTML)


def token(browser: FlaskClient, path: str) -> str:
    """Return the CSRF token of a page's forms."""
    match = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(path, headers=HTML).text)
    assert match, f"{path} has no form with a token"
    return match[1]
