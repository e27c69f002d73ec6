"""Looks the pinned packages and the built Dapr up in the public databases of vulnerabilities."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

from launcher.console import run_logged, say
from launcher.errors import LaunchError
from launcher.paths import cache_dir
from launcher.setup.build import PROXY_ADVICE, ensure_built
from launcher.setup.toolchain import ensure_go
from launcher.setup.venv import REQUIREMENTS, python

GOVULNCHECK = "golang.org/x/vuln/cmd/govulncheck@v1.1.4"
EXPLAINED = Path(__file__).with_name("explained.toml")
"""What is known and why it does no harm here: by group of programs, by the id of the vulnerability."""
_RUNTIME = ("daprd", "placement", "scheduler")
_FOUND = 3


def audit() -> None:
    """Audit both; raise LaunchError for what is found and not explained, and when a database does not answer."""
    faults = [fault for fault in (_audit_packages(), _audit_dapr()) if fault]
    if faults:
        raise LaunchError("\n".join(faults))
    say("Nothing was found that is not explained.")


def _audit_packages() -> str:
    """Return what is wrong with the Python packages, empty if nothing is."""
    command: list[str | Path] = [
        python().parent / "pip-audit",
        "--strict",
        "--disable-pip",
        "--require-hashes",
        "-r",
        REQUIREMENTS[-1],
    ]
    say(f"pip-audit of {REQUIREMENTS[-1].name} ...")
    failed = subprocess.run(command, check=False).returncode != 0
    return "pip-audit found something, or could not look it up: see above." if failed else ""


def _audit_dapr() -> str:
    """Return what is wrong with the programs that were built from Go modules, empty if nothing is."""
    folder, explained = ensure_built(), tomllib.loads(EXPLAINED.read_text())
    programs = {folder / ".dapr" / "bin" / name: explained["runtime"] for name in _RUNTIME}
    programs[folder / "bin" / "dapr"] = explained["cli"]
    faults = []
    for program, known in programs.items():
        found = _vulnerabilities(program)
        say(f"govulncheck of {program.name}: {len(found)} found, {len(found & known.keys())} of them explained.")
        faults += [
            f"{program.name}: {one} is not explained in {EXPLAINED.name}" for one in sorted(found - known.keys())
        ]
    return "\n".join(faults)


def _vulnerabilities(program: Path) -> set[str]:
    """Return the ids of what is known of a program's modules; GOVULNDB names another database than the public one."""
    database = os.environ.get("GOVULNDB")
    options = ["-db", database] if database else []
    result = subprocess.run(
        [_govulncheck(), *options, "-mode=binary", program], capture_output=True, text=True, check=False
    )
    if result.returncode not in {0, _FOUND}:
        raise LaunchError(f"govulncheck could not look {program.name} up: {result.stderr.strip()}")
    return set(re.findall(r"^Vulnerability #\d+: (\S+)", result.stdout, re.MULTILINE))


def _govulncheck() -> Path:
    """Return govulncheck, built into the cache if need be."""
    folder = cache_dir() / GOVULNCHECK.rpartition("/")[2]
    if not (folder / "govulncheck").exists():
        env = {**os.environ, "GOBIN": str(folder), "GOTOOLCHAIN": "local"}
        log = cache_dir() / "audit.log"
        run_logged([ensure_go(), "install", GOVULNCHECK], "Building govulncheck", log, env=env, advice=PROXY_ADVICE)
    return folder / "govulncheck"
