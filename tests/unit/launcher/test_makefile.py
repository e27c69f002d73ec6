"""What each command of the Makefile asks for, so that what is optional does not stop what does without."""

import os
import subprocess

import pytest

from launcher.paths import ROOT


def recipe(target: str) -> str:
    """Return the commands that make would run."""
    # What a make that runs the tests was told is not for this one.
    env = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
    command = ["make", "--dry-run", target]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("target", ["lint", "format", "unit"])
def test_linters_and_unit_tests_need_neither_redis_nor_dapr(target: str) -> None:
    assert "-m launcher venv" in recipe(target)
    assert "-m launcher setup" not in recipe(target)


@pytest.mark.parametrize(
    "target", ["setup", "run", "deps", "lint", "unit", "e2e", "fuzz", "chaos-short", "bench-short"]
)
def test_only_the_browser_tests_need_a_browser(target: str) -> None:
    assert "-m launcher browser" in recipe("browser")
    assert "-m launcher browser" not in recipe(target)
