"""Shared set-up of all tests: a reaper, so that a killed test run leaves no processes."""

import pytest

from launcher.supervision import reaper


def pytest_configure(config: pytest.Config) -> None:
    # Workers of xdist use the reaper of the main process.
    if not hasattr(config, "workerinput"):
        reaper.ensure()
