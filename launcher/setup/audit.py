"""Checks the pinned packages and the built Dapr against the public vulnerability databases."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

from launcher.console import print_line, run_logged
from launcher.errors import LaunchError
from launcher.paths import cache_dir
from launcher.setup.build import PROXY_ADVICE, ensure_built
from launcher.setup.toolchain import ensure_go
from launcher.setup.venv import REQUIREMENTS, python

GOVULNCHECK = "golang.org/x/vuln/cmd/govulncheck@v1.1.4"
EXPLAINED = Path(__file__).with_name("explained.toml")
"""Known vulnerabilities and why they do not apply here, by group of programs and vulnerability id."""
_RUNTIME = ("daprd", "placement", "scheduler")
_FOUND = 3


def audit() -> None:
    """Audit packages and Dapr. Raises LaunchError for unexplained vulnerabilities and unavailable databases."""
    faults = [fault for fault in (_audit_packages(), _audit_dapr()) if fault]
    if faults:
        raise LaunchError("\n".join(faults))
    print_line("No unexplained vulnerabilities found.")


def _audit_packages() -> str:
    """Return the error message of the audit of the Python packages, empty on success."""
    command: list[str | Path] = [
        python().parent / "pip-audit",
        "--strict",
        "--disable-pip",
        "--require-hashes",
        "-r",
        REQUIREMENTS[-1],
    ]
    print_line(f"pip-audit of {REQUIREMENTS[-1].name} ...")
    failed = subprocess.run(command, check=False).returncode != 0
    return "pip-audit found vulnerabilities or failed: see above." if failed else ""


def _audit_dapr() -> str:
    """Return the error message of the audit of the Go programs, empty on success."""
    folder, explained = ensure_built(), tomllib.loads(EXPLAINED.read_text())
    programs = {folder / ".dapr" / "bin" / name: explained["runtime"] for name in _RUNTIME}
    programs[folder / "bin" / "dapr"] = explained["cli"]
    faults = []
    for program, known in programs.items():
        found = _vulnerabilities(program)
        print_line(f"govulncheck of {program.name}: {len(found)} found, {len(found & known.keys())} of them explained.")
        faults += [
            f"{program.name}: {vulnerability} is not explained in {EXPLAINED.name}"
            for vulnerability in sorted(found - known.keys())
        ]
    return "\n".join(faults)


def _vulnerabilities(program: Path) -> set[str]:
    """Return the ids of the known vulnerabilities in a program's modules. GOVULNDB overrides the public database."""
    database = os.environ.get("GOVULNDB")
    options = ["-db", database] if database else []
    result = subprocess.run(
        [_govulncheck(), *options, "-mode=binary", program], capture_output=True, text=True, check=False
    )
    if result.returncode not in {0, _FOUND}:
        raise LaunchError(f"govulncheck could not check {program.name}: {result.stderr.strip()}")
    return set(re.findall(r"^Vulnerability #\d+: (\S+)", result.stdout, re.MULTILINE))


def _govulncheck() -> Path:
    """Return govulncheck from the cache. Builds it if it is missing."""
    folder = cache_dir() / GOVULNCHECK.rpartition("/")[2]
    if not (folder / "govulncheck").exists():
        env = {**os.environ, "GOBIN": str(folder), "GOTOOLCHAIN": "local"}
        log = cache_dir() / "audit.log"
        run_logged([ensure_go(), "install", GOVULNCHECK], "Building govulncheck", log, env=env, advice=PROXY_ADVICE)
    return folder / "govulncheck"
