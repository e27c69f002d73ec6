"""The audit fails for unexplained vulnerabilities and for unavailable databases."""

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
    """A machine on which both tools find no vulnerability."""
    program(tmp_path / "bin" / "pip-audit", "exit 0")
    program(tmp_path / "govulncheck", "exit 0")
    monkeypatch.setattr(audit, "python", lambda: tmp_path / "bin" / "python")
    monkeypatch.setattr(audit, "ensure_built", lambda: tmp_path)
    monkeypatch.setattr(audit, "_govulncheck", lambda: tmp_path / "govulncheck")
    return tmp_path


def finds(machine: Path, vulnerability: str) -> None:
    program(machine / "govulncheck", f"echo 'Vulnerability #1: {vulnerability}'; exit 3")


def test_audit_passes_without_vulnerabilities(machine: Path) -> None:
    audit.audit()


def test_audit_passes_with_explained_vulnerabilities(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finds(machine, KNOWN)
    audit.audit()
    assert "1 found, 1 of them explained" in capsys.readouterr().out


def test_audit_reports_an_unexplained_vulnerability_for_each_program(machine: Path) -> None:
    finds(machine, "GO-9999-0001")
    with pytest.raises(LaunchError) as error:
        audit.audit()
    for name in ("daprd", "placement", "scheduler", "dapr"):
        assert f"{name}: GO-9999-0001 is not explained" in str(error.value)


def test_audit_fails_when_a_database_is_unavailable(machine: Path) -> None:
    program(machine / "govulncheck", "echo 'no such host' >&2; exit 1")
    with pytest.raises(LaunchError, match="could not check daprd: no such host"):
        audit.audit()


def test_audit_reports_findings_of_pip_audit_and_govulncheck_together(machine: Path) -> None:
    program(machine / "bin" / "pip-audit", "exit 1")
    finds(machine, "GO-9999-0001")
    with pytest.raises(LaunchError, match=r"(?s)pip-audit found vulnerabilities.*GO-9999-0001"):
        audit.audit()


def test_govulndb_overrides_the_database(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(machine / "govulncheck", f'[ "$2" = file:///copy ] && echo "Vulnerability #1: {KNOWN}"; exit 3')
    monkeypatch.setenv("GOVULNDB", "file:///copy")
    audit.audit()


def test_every_vulnerability_has_an_explanation() -> None:
    groups = tomllib.loads(audit.EXPLAINED.read_text())
    assert set(groups) == {"runtime", "cli"}
    for group in groups.values():
        assert all(one.startswith("GO-") and len(why) > 10 for one, why in group.items())
