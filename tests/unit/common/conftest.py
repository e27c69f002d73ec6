"""Fixtures of the tests of the HTTP server."""

from collections.abc import Iterator

import pytest

from tests.unit.common.local_server import TIMEOUT, Local


@pytest.fixture
def local() -> Iterator[Local]:
    found = Local()
    found.start()
    yield found
    found.server.stop()
    assert found.ended.wait(TIMEOUT)
