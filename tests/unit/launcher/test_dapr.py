"""The Dapr that the launcher selects, and the command that it prints for another terminal."""

from pathlib import Path

import pytest

from launcher.setup import dapr
from launcher.setup.dapr import Dapr, ensure_dapr, run_command


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home folder of a machine without Dapr. The build of Dapr is faked by the folder `built`."""
    home, built = tmp_path / "home folder", tmp_path / "built"
    (home / ".dapr" / "bin").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{tmp_path / 'programs'}:/usr/bin:/bin")
    monkeypatch.delenv("DAPR_RUNTIME_PATH", raising=False)
    monkeypatch.setattr(dapr, "ensure_built", lambda: built)
    return home


def install(path: Path, version: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)


def test_installed_runtime_is_used_without_a_cli(home: Path) -> None:
    install(home / ".dapr" / "bin" / "daprd", "1.18.2")
    assert ensure_dapr(control_plane=False) == Dapr(home)


def test_installed_runtime_is_not_used_when_the_launcher_starts_the_scheduler(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("daprd", "placement", "scheduler"):
        install(home / ".dapr" / "bin" / name, "1.18.2")
    assert ensure_dapr() == Dapr(tmp_path / "built")
    assert "any web page could read and delete the jobs" in capsys.readouterr().out


def test_cached_build_is_used_when_it_is_configured_as_installed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(home / ".dapr" / "bin" / "daprd", "1.18.2")
    monkeypatch.setattr(dapr, "built_folder", lambda: home)
    assert ensure_dapr() == Dapr(home)


@pytest.mark.parametrize(
    ("version", "sentence"),
    [("1.17.4", "it is version 1.17.4, and 1.18.0 or newer is required"), ("edge", "its version")],
)
def test_outdated_runtime_is_not_used_and_the_reason_is_printed(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], version: str, sentence: str
) -> None:
    install(home / ".dapr" / "bin" / "daprd", version)
    assert ensure_dapr(control_plane=False) == Dapr(tmp_path / "built")
    assert sentence in capsys.readouterr().out


def test_run_command_has_no_path_when_dapr_is_installed(home: Path, tmp_path: Path) -> None:
    install(tmp_path / "programs" / "dapr", "CLI version: 1.16.5")
    assert run_command(Dapr(home)) == "dapr run -f ."
    assert run_command(Dapr(Path("/some where"))) == "DAPR_RUNTIME_PATH='/some where' dapr run -f ."


@pytest.mark.parametrize("version", [None, "CLI version: 1.15.0"])
def test_run_command_has_the_path_of_the_built_cli_when_no_installed_cli_is_suitable(
    home: Path, tmp_path: Path, version: str | None
) -> None:
    if version:
        install(tmp_path / "programs" / "dapr", version)
    built = tmp_path / "built"
    assert run_command(Dapr(built)) == f"DAPR_RUNTIME_PATH={built} {built}/bin/dapr run -f ."
