"""`dapr run -f .` after `dapr init`: commands of the README, before and after `make run`, and with missing services."""

import subprocess
import sys
from pathlib import Path

import pytest

from launcher.paths import ROOT
from tests.e2e.machine import entrance, set_up

INSIDE = "tests/e2e/on_a_machine_with_dapr.py"


@pytest.mark.timeout(900)
def test_dapr_run_works_after_dapr_init(tmp_path: Path) -> None:
    prefix = entrance(pytest.skip)
    machine = set_up(tmp_path / "machine")
    # The tests run inside, where the ports are.
    pytest_there = [*prefix, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--durations=0", INSIDE]
    result = subprocess.run(
        pytest_there, cwd=ROOT, env=machine.environment(), capture_output=True, text=True, check=False, timeout=700
    )
    assert result.returncode == 0, result.stdout + result.stderr
