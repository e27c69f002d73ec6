"""The requests of demo.http, sent from top to bottom, return the responses in their titles."""

import os
import re
import subprocess
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from launcher.paths import ROOT
from tests.e2e.client import Shop
from tests.e2e.groups import System
from tests.e2e.http_file import Request, Sender, expect, parse
from tests.e2e.polling import eventually
from tests.e2e.readme import Shell

FILE = parse((ROOT / "demo.http").read_text(encoding="utf-8"))
CODEC, CHAOS, KEYS = 12, 13, 14
"""Sections with further prerequisites. test_access.py sends the last two, which need fault injection and keys."""
TOKEN = "the token of the codec server"


@pytest.fixture(scope="module")
def sender(shell: Shell, ends_open_orders: None) -> Sender:
    variables = {name: shell.moved(value) for name, value in FILE.variables.items()}
    return Sender(variables | {"codecToken": TOKEN})


@pytest.fixture(scope="module")
def codec_server(system: System, sender: Sender) -> Iterator[None]:
    port = re.sub(r".*:", "", sender.variables["codec"])
    env = {"APP_PORT": port, "CODEC_TOKEN": TOKEN, "ENCRYPTION_KEYS_FILE": str(system.stack.keys_file)}
    with subprocess.Popen([ROOT / ".venv" / "bin" / "oms", "codec-server"], env=os.environ | env) as server:
        shop = Shop(lambda _: sender.variables["codec"], lambda _: "", key=TOKEN)
        try:
            eventually(lambda: shop.is_ready("codec"))
            yield
        finally:
            server.terminate()


def of_sections(*numbers: int) -> list[Request]:
    return [one for one in FILE.requests if one.section in numbers]


def test_every_section_has_a_test() -> None:
    assert list(FILE.sections) == list(range(1, KEYS + 1))
    assert {one.section for one in FILE.requests} == set(FILE.sections)


@pytest.mark.parametrize("request_", of_sections(*range(1, CODEC)), ids=str)
def test_response_matches_the_title(sender: Sender, request_: Request) -> None:
    sender.send(request_)


@pytest.mark.usefixtures("codec_server")
def test_responses_of_the_codec_server_match_the_titles(sender: Sender) -> None:
    for one in of_sections(CODEC):
        sender.send(one)


ANSWER: Any = SimpleNamespace(status_code=200, headers={"Location": "http://here/orders/A1"})
BODY = {"id": "A1", "parts": [{"status": "booked"}, {"status": "pending"}], "actions": ["amend"], "reason": None}


@pytest.mark.parametrize(
    "expected",
    [
        "200",
        "201 or 200",
        "200, Location",
        "200, Location: /orders/A1",
        '200, "status": "booked", "status": "pending"',
        '200, "actions": ["amend"], "reason": null, Location',
        '200, "amend"',
    ],
)
def test_matching_response_is_accepted(expected: str) -> None:
    expect(expected, ANSWER, BODY)


@pytest.mark.parametrize(
    "expected",
    [
        "202",
        "201 or 202",
        "200, Link",
        "200, Location: /orders/B1",
        '200, "status": "delivered"',
        '200, "actions": []',
        '200, "cancel"',
        '200, "id": "A1", "id": "A2"',
    ],
)
def test_different_response_is_rejected(expected: str) -> None:
    with pytest.raises(AssertionError):
        expect(expected, ANSWER, BODY)


@pytest.mark.parametrize("expected", ["", "Location", '"id": "A1"', "200, ???", '200 "id": "A1"'])
def test_malformed_expectation_is_an_error(expected: str) -> None:
    with pytest.raises(ValueError, match=r"no status|neither"):
        expect(expected, ANSWER, BODY)
