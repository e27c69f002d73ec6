"""An installed Dapr is used, but not its scheduler, whose jobs every web page could read and delete."""

from pathlib import Path

import pytest

from runtime import dapr


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a Dapr that is new enough, with all its programs, as `dapr init --slim` does."""
    programs = tmp_path / ".dapr" / "bin"
    programs.mkdir(parents=True)
    for name, version in {"dapr": "1.16.5", "daprd": "1.18.2", "placement": "1.18.2", "scheduler": "1.18.2"}.items():
        (programs / name).write_text(f"#!/bin/sh\necho {version}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.setenv("DAPR_RUNTIME_PATH", str(tmp_path))
    return tmp_path


def test_an_installed_dapr_is_used_where_a_scheduler_runs_already(installed: Path) -> None:
    assert dapr.ensure_dapr(control_plane=False).runtime_path == installed


def test_an_installed_dapr_is_not_used_where_the_scheduler_is_started(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    built = tmp_path / "built"
    monkeypatch.setattr(dapr, "ensure_built", lambda: built)
    assert dapr.ensure_dapr().runtime_path == built != installed
    assert "every web page could read and delete the jobs" in capsys.readouterr().out


def test_the_build_of_the_cache_is_used_where_it_is_named_as_installed(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dapr, "built_folder", lambda: installed)
    assert dapr.ensure_dapr().runtime_path == installed
