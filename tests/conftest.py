"""What all tests share: a reaper, so that a test run that is killed leaves no process running."""

import pytest

from launcher.supervision import reaper


def pytest_configure(config: pytest.Config) -> None:
    # A worker of xdist belongs to the reaper of the process that started it.
    if not hasattr(config, "workerinput"):
        reaper.ensure()
