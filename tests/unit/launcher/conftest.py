"""Fixtures of the launcher tests."""

from pathlib import Path

import pytest

from tests.unit.launcher.machine import Machine


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """An empty machine."""
    return Machine(tmp_path, monkeypatch)
