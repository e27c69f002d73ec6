"""A world for every test."""

import pytest

from tests.unit.orderprocessing.world import World


@pytest.fixture
def world() -> World:
    return World()
