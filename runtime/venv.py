"""The virtual environment, made again only when the pinned requirements change."""

import importlib.util
import subprocess
import sys
from pathlib import Path

from runtime import system_packages
from runtime.console import run_logged
from runtime.paths import ROOT, VENV, digest

REQUIREMENTS = [ROOT / "requirements.txt", ROOT / "requirements-dev.txt"]
PROJECT_FILE = ROOT / "pyproject.toml"
STAMP = VENV / ".requirements"
LOG = ROOT / ".state" / "logs" / "setup-venv.log"


def python() -> Path:
    """Return the virtual environment's interpreter."""
    return VENV / "bin" / "python"


def ensure_venv() -> None:
    """Make the virtual environment, unless it is there and its requirements are still the same."""
    want = digest([*REQUIREMENTS, PROJECT_FILE], f"{sys.version_info[:2]}")
    if STAMP.exists() and STAMP.read_text() == want and _works():
        return
    if importlib.util.find_spec("ensurepip") is None:
        # Debian keeps ensurepip out of its python3 package.
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        system_packages.install(f"python{version}-venv", "Python's venv")
    # From nothing: what is not wanted any more may do harm where it stays, as other packages use what they find.
    run_logged([sys.executable, "-m", "venv", "--clear", VENV], "Making the virtual environment", LOG)
    # Without --no-deps an old pip resolves extras outside the lock, and fails as soon as a newer release of one is out.
    pip: list[str | Path] = [python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    run_logged([*pip, "--require-hashes", "-r", REQUIREMENTS[-1]], "Installing the pinned Python packages", LOG)
    # Puts the command `oms` beside the interpreter; the code stays in the checkout.
    run_logged([*pip, "--no-build-isolation", "--editable", ROOT], "Installing the command oms", LOG)
    STAMP.write_text(want)


def _works() -> bool:
    """Tell whether the virtual environment's interpreter starts and is of this Python's version."""
    if not python().exists():
        return False
    code = "import sys; print(sys.version_info[:2])"
    result = subprocess.run([python(), "-c", code], capture_output=True, text=True, check=False)
    return result.stdout.strip() == str(sys.version_info[:2])
