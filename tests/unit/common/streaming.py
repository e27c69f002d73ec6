"""The feed or the console over fakes, on its real server: `python -m tests.unit.common.streaming feed|console`.

With KEYS the file of that name has the API keys, and with SECRET it is what a secret store gives.
"""

import os
import sys
from pathlib import Path

from pydantic import SecretStr

from services.common import logs
from services.common.auth.access import create_authenticator
from services.common.auth.api_key_secret import KeySecret
from services.common.auth.api_keys import ApiKeys, KeyFile
from services.common.config import read_or_exit
from services.common.server.http_server import serve
from services.notifications.app import NotificationsConfig
from services.notifications.app import create_app as create_feed
from services.web.app import WebConfig
from services.web.app import create_app as create_console
from services.web.live.hub import Hub
from tests.fakes import FakeDocuments
from tests.unit.web.fakes import FakeShop


class FileVault:
    """A secret store whose secret is what a file holds."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def secret(self, _store: str, _name: str) -> dict[str, str]:
        return {"keys": self._path.read_text()}


def keys_of_environment() -> ApiKeys | None:
    if "KEYS" not in os.environ:
        return None
    path = Path(os.environ["KEYS"])
    if "SECRET" not in os.environ:
        return KeyFile(path)
    secret = KeySecret(FileVault(path), "vault", "people")
    secret.refresh()
    secret.start_refreshing()
    return secret


def main() -> None:
    logs.set_up("INFO", "text")
    keys = keys_of_environment()
    if sys.argv[1] == "feed":
        feed = read_or_exit(NotificationsConfig, os.environ).model_copy(update={"app_api_token": SecretStr("t")})
        serve(create_feed(feed, FakeDocuments(), authenticator=create_authenticator(feed, keys)), feed)
    else:
        console = read_or_exit(WebConfig, os.environ)
        serve(create_console(console, FakeShop(), Hub(console.streams()), keys=keys), console)


if __name__ == "__main__":
    main()
