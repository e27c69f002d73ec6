"""Creates the virtual environment, again only when the pinned requirements change."""

import importlib.util
import subprocess
import sys
from pathlib import Path

from launcher.console import run_logged
from launcher.errors import LaunchError
from launcher.paths import ROOT, VENV, digest
from launcher.setup import system_packages

REQUIREMENTS = [ROOT / "requirements.txt", ROOT / "requirements-dev.txt"]
PROJECT_FILE = ROOT / "pyproject.toml"
STAMP = VENV / ".requirements"
PIP_INSTALL = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
PACKAGES_ADVICE = (
    "Check that PyPI, or the index that pip is configured to use, can be reached, then run the command again; "
    "if pip finds no matching distribution, use another version of Python."
)
LOG = ROOT / ".state" / "logs" / "setup-venv.log"


def python() -> Path:
    """Return the virtual environment's interpreter."""
    return VENV / "bin" / "python"


def ensure_venv() -> None:
    """Create the virtual environment unless it exists with the current requirements."""
    want = digest([*REQUIREMENTS, PROJECT_FILE], f"{sys.version_info[:2]}")
    if STAMP.exists() and STAMP.read_text() == want and _works():
        return
    if importlib.util.find_spec("ensurepip") is None:
        # Debian's python3 package does not contain ensurepip.
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        system_packages.install(f"python{version}-venv", "Python's venv", brew="python")
    # From scratch: packages that are no longer required could change how other packages behave.
    run_logged([sys.executable, "-m", "venv", "--clear", VENV], "Creating the virtual environment", LOG)
    install_locked(python(), REQUIREMENTS[-1], "Installing the pinned Python packages", LOG)
    # Installs the command `oms`. The code stays in the checkout.
    editable: list[str | Path] = ["--no-deps", "--no-build-isolation", "--editable", ROOT]
    run_logged([python(), *PIP_INSTALL, *editable], "Installing the command oms", LOG)
    check_consistent(python())
    STAMP.write_text(want)


def install_locked(
    interpreter: Path,
    lock: Path,
    what: str,
    log: Path,
    *,
    target: Path | None = None,
    advice: str = PACKAGES_ADVICE,
) -> None:
    """Install exactly the files that a lock file pins by hash, into the folder `target` if given.

    --no-deps disables resolution: an old pip resolves extras outside the lock and fails when a newer release exists.
    --only-binary disables builds, because the lock does not pin build requirements.
    """
    options: list[str | Path] = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", lock]
    into: list[str | Path] = ["--target", target] if target else []
    run_logged([interpreter, *PIP_INSTALL, *into, *options], what, log, advice=advice)


def check_consistent(interpreter: Path) -> None:
    """Raise LaunchError when the installed packages lack requirements, which --no-deps does not check."""
    command: list[str | Path] = [interpreter, "-m", "pip", "check", "--disable-pip-version-check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        found = (result.stdout + result.stderr).strip()
        raise LaunchError(
            f"The pinned packages are inconsistent. Run `make lock` to pin them again. pip check:\n{found}"
        )


def _works() -> bool:
    """Return whether the virtual environment's interpreter starts and has the version of this Python."""
    if not python().exists():
        return False
    code = "import sys; print(sys.version_info[:2])"
    result = subprocess.run([python(), "-c", code], capture_output=True, text=True, check=False)
    return result.stdout.strip() == str(sys.version_info[:2])
