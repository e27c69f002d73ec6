"""Error messages of failed setup commands."""

import sys
from pathlib import Path

import pytest

from launcher.console import run_logged
from launcher.errors import LaunchError


def test_error_of_a_failed_command_has_the_advice_and_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "log"
    command = [sys.executable, "-c", "raise SystemExit('no such host')"]
    with pytest.raises(LaunchError) as error:
        run_logged(command, "Fetching", log, advice="Try again.")
    assert str(error.value) == f"Fetching failed with exit code 1. Try again. The end of {log}:\nno such host"


def test_error_of_a_missing_program_has_the_advice(tmp_path: Path) -> None:
    with pytest.raises(LaunchError) as error:
        run_logged([tmp_path / "none"], "Fetching", tmp_path / "log", advice="Install it.")
    assert str(error.value) == (
        f"Fetching failed: {tmp_path}/none cannot be started (No such file or directory). Install it."
    )
