"""The oldest pip that the running Python may bundle, cached for machines without a network."""

import sys
from pathlib import Path

from launcher.console import print_line, run_logged
from launcher.paths import cache_dir, digest
from launcher.setup.build import one_at_a_time
from launcher.setup.venv import PACKAGES_ADVICE

PINNED = Path(__file__).with_name("oldest-pip.txt")


def wheel() -> Path:
    """Return its wheel from the cache. Downloads it by hash if it is missing."""
    folder = cache_dir() / f"oldest-pip-{digest([PINNED])[:8]}-python{sys.version_info[0]}.{sys.version_info[1]}"
    with one_at_a_time(folder.with_name(f"{folder.name}.lock"), "fetching the oldest supported pip"):
        if not list(folder.glob("pip-*.whl")):
            _fetch(folder)
    return next(folder.glob("pip-*.whl"))


def _fetch(folder: Path) -> None:
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    run_logged(
        [sys.executable, "-m", "pip", "download", *options, "--dest", folder, "-r", PINNED],
        "Fetching the oldest supported pip, for a test",
        cache_dir() / "oldest-pip.log",
        advice=PACKAGES_ADVICE,
    )


if __name__ == "__main__":
    print_line(f"Oldest supported pip: {wheel().name}.")
