"""Dependencies of the Makefile targets: a target requires only what it needs."""

import os
import subprocess

import pytest

from launcher.paths import ROOT


def recipe(target: str) -> str:
    """Return the commands that make would run."""
    # Without the settings of the `make` that runs the tests.
    env = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
    command = ["make", "--dry-run", target]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("target", ["lint", "format", "unit"])
def test_linters_and_unit_tests_require_neither_redis_nor_dapr(target: str) -> None:
    assert "-m launcher venv" in recipe(target)
    assert "-m launcher setup" not in recipe(target)


@pytest.mark.parametrize(
    "target", ["setup", "run", "deps", "lint", "unit", "e2e", "fuzz", "chaos-short", "bench-short"]
)
def test_only_the_browser_tests_require_a_browser(target: str) -> None:
    assert "-m launcher browser" in recipe("browser")
    assert "-m launcher browser" not in recipe(target)
