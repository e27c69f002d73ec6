"""Fixtures of all unit tests."""

import logging
from collections.abc import Iterator

import pytest

from tests.unit.fake_daprd import FakeDaprd, fake_daprd


@pytest.fixture(autouse=True)
def log_handlers() -> Iterator[None]:
    """Undo `logs.set_up`, whose handler would write to the captured output of a test that has ended."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def daprd() -> Iterator[FakeDaprd]:
    with fake_daprd() as server:
        yield server
