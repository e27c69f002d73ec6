"""The audit: what is found must be explained, and a database that does not answer is no good news."""

import stat
import tomllib
from pathlib import Path

import pytest

from launcher.errors import LaunchError
from launcher.setup import audit

KNOWN = "GO-2026-6061"


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which both tools find nothing."""
    program(tmp_path / "bin" / "pip-audit", "exit 0")
    program(tmp_path / "govulncheck", "exit 0")
    monkeypatch.setattr(audit, "python", lambda: tmp_path / "bin" / "python")
    monkeypatch.setattr(audit, "ensure_built", lambda: tmp_path)
    monkeypatch.setattr(audit, "_govulncheck", lambda: tmp_path / "govulncheck")
    return tmp_path


def finds(machine: Path, vulnerability: str) -> None:
    program(machine / "govulncheck", f"echo 'Vulnerability #1: {vulnerability}'; exit 3")


def test_nothing_found_is_good(machine: Path) -> None:
    audit.audit()


def test_what_is_explained_is_good(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finds(machine, KNOWN)
    audit.audit()
    assert "1 found, 1 of them explained" in capsys.readouterr().out


def test_what_is_not_explained_is_told_for_each_program(machine: Path) -> None:
    finds(machine, "GO-9999-0001")
    with pytest.raises(LaunchError) as error:
        audit.audit()
    for name in ("daprd", "placement", "scheduler", "dapr"):
        assert f"{name}: GO-9999-0001 is not explained" in str(error.value)


def test_a_database_that_does_not_answer_is_a_fault(machine: Path) -> None:
    program(machine / "govulncheck", "echo 'no such host' >&2; exit 1")
    with pytest.raises(LaunchError, match="could not look daprd up: no such host"):
        audit.audit()


def test_what_pip_audit_says_is_a_fault_beside_the_others(machine: Path) -> None:
    program(machine / "bin" / "pip-audit", "exit 1")
    finds(machine, "GO-9999-0001")
    with pytest.raises(LaunchError, match=r"(?s)pip-audit found something.*GO-9999-0001"):
        audit.audit()


def test_another_database_may_be_named(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(machine / "govulncheck", f'[ "$2" = file:///copy ] && echo "Vulnerability #1: {KNOWN}"; exit 3')
    monkeypatch.setenv("GOVULNDB", "file:///copy")
    audit.audit()


def test_every_explanation_says_something() -> None:
    groups = tomllib.loads(audit.EXPLAINED.read_text())
    assert set(groups) == {"runtime", "cli"}
    for group in groups.values():
        assert all(one.startswith("GO-") and len(why) > 10 for one, why in group.items())
