"""What tests of the launcher share."""

from pathlib import Path

import pytest

from tests.unit.launcher.machine import Machine


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with nothing on it."""
    return Machine(tmp_path, monkeypatch)
