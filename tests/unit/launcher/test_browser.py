"""The browser of the browser tests: found by any of its names, installed where we may."""

from pathlib import Path

import pytest

from launcher.errors import LaunchError
from launcher.setup import browser, system_packages


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it but what a test puts there."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def put(folder: Path, name: str, script: str) -> Path:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def test_a_browser_is_found_by_the_name_that_its_packer_gave_it(programs: Path) -> None:
    chrome = put(programs, "google-chrome", "echo Google Chrome 150.0.1.2")
    assert browser.find_chromium() == chrome


def test_a_program_that_only_tells_where_to_get_a_browser_is_none(programs: Path) -> None:
    put(programs, "chromium-browser", "echo install it elsewhere >&2; exit 1")
    assert browser.find_chromium() is None


def test_a_missing_browser_is_installed_where_we_may(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def install(package: str, what: str, *, brew: str) -> None:
        put(programs, package, "echo Chromium 150.0.1.2")

    monkeypatch.setattr(system_packages, "install", install)
    assert browser.ensure_chromium() == programs / "chromium"


def test_where_nothing_can_be_installed_a_sentence_says_what_is_missing(programs: Path) -> None:
    with pytest.raises(
        LaunchError, match=r"(?s)^Chromium, .* is missing: install it .*chromium.*`make run` and .* do without"
    ):
        browser.ensure_chromium()


def test_a_package_without_a_browser_is_said(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_packages, "install", lambda package, what, brew: None)
    with pytest.raises(LaunchError, match=r"install Chromium or Google Chrome"):
        browser.ensure_chromium()
