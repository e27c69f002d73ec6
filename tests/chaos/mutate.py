"""`python -m tests.chaos.mutate`: take one precaution after the other away and see that the crash matrix notices.

Each mutant is a copy of the source, on which the short form of the matrix runs, seed after seed, until one fails.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from runtime.console import say
from runtime.paths import ROOT
from tests.chaos.mutants import MUTANTS, Mutant
from tests.chaos.report import aligned

_COPIED = ("components", "runtime", "services", "tests", "dapr.yaml", "pyproject.toml")
_LONGEST_S = 600.0
_SETTLES_WITHIN_S = "40"
"""Shorter than for the figures: here something is wrong, so that all of it would be waited for each time."""
_FAULT = ("lost:", "double:", "stuck:", "wrong:")


def main(arguments: list[str] | None = None) -> int:
    """Try the mutants that are named, or all; return 0 if the matrix noticed each."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutate", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(one.name for one in MUTANTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--port-offset", type=int, default=4000)
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - {one.name for one in MUTANTS}:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    chosen = [one for one in MUTANTS if not options.names or one.name in options.names]
    rows = [["mutant", "noticed with seed", "first fault"]]
    for mutant in chosen:
        seed, fault = notice(mutant, options.seeds, options.port_offset)
        rows.append([mutant.name, str(seed or "NOT NOTICED"), fault])
        say(f"{mutant.name}: {seed or 'NOT NOTICED'}: {fault}")
    say("\n" + aligned(rows))
    return int(any(row[1] == "NOT NOTICED" for row in rows))


def notice(mutant: Mutant, seeds: Sequence[int], port_offset: int) -> tuple[int | None, str]:
    """Return the first seed with which the matrix notices the mutant, None if there is none, and the fault."""
    with tempfile.TemporaryDirectory(prefix=f"oms-{mutant.name}-") as folder:
        root = Path(folder) / "source"
        _copy(root)
        for edit in mutant.edits:
            edit.apply(root)
        for seed in seeds:
            said = _run(root, seed, port_offset)
            faults = [line.strip() for line in said if line.strip().startswith(_FAULT)]
            if faults:
                return seed, f"{faults[0][:200]} ({len(faults)} faults)"
            say(f"{mutant.name}: not noticed with seed {seed}: {said[-2:]}")
    return None, ""


def _copy(root: Path) -> None:
    root.mkdir()
    (root / ".venv").symlink_to(ROOT / ".venv")
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, root / name)


def _run(root: Path, seed: int, port_offset: int) -> list[str]:
    command = [sys.executable, "-m", "tests.chaos", "--short", "--seeds", str(seed)]
    command += ["--port-offset", str(port_offset), "--folder", str(root.parent)]
    command += ["--settles-within", _SETTLES_WITHIN_S]
    with tempfile.TemporaryFile("w+") as said:
        matrix = subprocess.Popen(command, cwd=root, stdout=said, stderr=subprocess.STDOUT)
        try:
            matrix.wait(_LONGEST_S)
        finally:
            matrix.terminate()  # ends its processes too; nothing when it has ended
            matrix.wait()
        said.seek(0)
        return said.read().splitlines()


if __name__ == "__main__":
    sys.exit(main())
