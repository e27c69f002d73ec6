"""The browser for the browser tests is found under any of its names, or installed."""

from pathlib import Path

import pytest

from launcher.errors import LaunchError
from launcher.setup import browser, system_packages


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with only the programs that a test adds."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def put(folder: Path, name: str, script: str) -> Path:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def test_browser_is_found_under_the_name_of_its_packager(programs: Path) -> None:
    chrome = put(programs, "google-chrome", "echo Google Chrome 150.0.1.2")
    assert browser.find_chromium() == chrome


def test_script_that_only_prints_installation_instructions_is_not_a_browser(programs: Path) -> None:
    put(programs, "chromium-browser", "echo install it elsewhere >&2; exit 1")
    assert browser.find_chromium() is None


def test_missing_browser_is_installed_where_permitted(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def install(package: str, what: str, *, brew: str) -> None:
        put(programs, package, "echo Chromium 150.0.1.2")

    monkeypatch.setattr(system_packages, "install", install)
    assert browser.ensure_chromium() == programs / "chromium"


def test_error_names_the_missing_browser_where_nothing_can_be_installed(programs: Path) -> None:
    with pytest.raises(
        LaunchError, match=r"(?s)^Chromium, .* is missing: install it .*chromium.*`make run` and .* do not"
    ):
        browser.ensure_chromium()


def test_error_says_that_the_package_contains_no_browser(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_packages, "install", lambda package, what, brew: None)
    with pytest.raises(LaunchError, match=r"install Chromium or Google Chrome"):
        browser.ensure_chromium()
