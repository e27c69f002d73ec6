"""What unit tests of several services stand on."""

from collections.abc import Iterator

import pytest

from tests.unit.fake_daprd import FakeDaprd, fake_daprd


@pytest.fixture
def daprd() -> Iterator[FakeDaprd]:
    with fake_daprd() as server:
        yield server
