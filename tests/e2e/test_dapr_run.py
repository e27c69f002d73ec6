"""`dapr run -f .` for whoever has run `dapr init`: by README's commands, beside `make run`, and with parts missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from launcher.paths import ROOT
from tests.e2e.machine import entrance, set_up

INSIDE = "tests/e2e/on_a_machine_with_dapr.py"


@pytest.mark.timeout(900)
def test_dapr_run_works_on_a_machine_as_dapr_init_leaves_it(tmp_path: Path) -> None:
    prefix = entrance(pytest.skip)
    machine = set_up(tmp_path / "machine")
    # The tests themselves run there, where the ports are.
    pytest_there = [*prefix, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--durations=0", INSIDE]
    result = subprocess.run(
        pytest_there, cwd=ROOT, env=machine.environment(), capture_output=True, text=True, check=False, timeout=700
    )
    assert result.returncode == 0, result.stdout + result.stderr
