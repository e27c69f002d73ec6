"""Checks the workflows of GitHub Actions with actionlint, which is built from its pinned Go module."""

import subprocess
import tempfile
from pathlib import Path

from launcher.console import run_logged
from launcher.errors import LaunchError
from launcher.paths import GO_MODULES, ROOT, cache_dir, digest
from launcher.setup.build import PROXY_ADVICE, go_environment, one_at_a_time
from launcher.setup.toolchain import ensure_go

MODULE = "github.com/rhysd/actionlint/cmd/actionlint"
SOURCE = GO_MODULES / "actionlint"


def check_workflows(folder: Path = ROOT / ".github" / "workflows") -> None:
    """Check the workflows. Raises LaunchError when actionlint finds an error."""
    workflows = sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")])
    # Without the checks by shellcheck and pyflakes, which not every machine has.
    command: list[str | Path] = [ensure_actionlint(), "-no-color", "-shellcheck=", "-pyflakes=", *workflows]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise LaunchError(f"actionlint found errors:\n{(result.stdout + result.stderr).strip()}")


def ensure_actionlint() -> Path:
    """Return the pinned actionlint from the cache. Builds it if it is missing."""
    program = cache_dir() / f"actionlint-{digest([SOURCE / 'go.mod', SOURCE / 'go.sum'])[:8]}"
    if program.exists():
        return program
    with one_at_a_time(program.with_suffix(".lock"), "building actionlint"):
        if not program.exists():
            _build(program)
    return program


def _build(program: Path) -> None:
    """Build actionlint in a temporary folder, then move it into place atomically."""
    with tempfile.TemporaryDirectory(prefix="actionlint-build-", dir=cache_dir()) as scratch:
        built = Path(scratch) / program.name
        build: list[str | Path] = ["build", "-mod=readonly", "-trimpath", "-ldflags", "-s -w", "-o", built, MODULE]
        log = cache_dir() / "build-actionlint.log"
        run_logged(
            [ensure_go(), *build], "Building actionlint", log, cwd=SOURCE, env=go_environment(), advice=PROXY_ADVICE
        )
        built.rename(program)
