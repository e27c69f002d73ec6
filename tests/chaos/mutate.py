"""`python -m tests.chaos.mutate`: take one precaution after the other away and see that the crash matrix notices.

Each mutant is a copy of the source, on which the matrix runs until it fails: first the short form, then, for what only
a rare moment shows, runs with far more chaos.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from launcher.console import print_line
from launcher.paths import ROOT
from tests.chaos.mutants import MUTANTS, Mutant
from tests.tables import aligned

_COPIED = ("components", "launcher", "services", "tests", "dapr.yaml", "pyproject.toml")
_LONGEST_S = 900.0
_SHORT = ["--short"]
_WILD = ["--kills", "16", "--rate", "4", "--fickle", "--patience", "300"]
_WILD += ["--chaos-switch", "0.5", "--lost-writes", "0.05"]
"""Here so much fails that orders would run into their deadlines; with patience they do not, and any fault is one."""
_SETTLES_WITHIN_S = "40"
"""Shorter than for the figures: here something is wrong, so that all of it would be waited for each time."""
_NOBODY = "NOBODY"
_SYSTEM = "the system: does not come back"
"""A machine that is too slow, which says nothing of the mutant."""
_FAULT = ("lost:", "double:", "stuck:", "wrong:")


def main(arguments: list[str] | None = None) -> int:
    """Try the mutants that are named, or all; return 0 if the matrix noticed each."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutate", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(one.name for one in MUTANTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="of the wild runs")
    parser.add_argument("--port-offset", type=int, default=4000)
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - {one.name for one in MUTANTS}:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    rows = [["mutant", "noticed by", "first fault"]]
    for mutant in MUTANTS:
        if mutant.name in (options.names or [mutant.name]):
            rows.append([mutant.name, *notice(mutant, options.seeds, options.port_offset)])
            print_line("  ".join(rows[-1]))
    print_line("\n" + aligned(rows))
    return int(any(row[1] == _NOBODY for row in rows))


def notice(mutant: Mutant, seeds: Sequence[int], port_offset: int) -> tuple[str, str]:
    """Return what noticed the mutant, and the first fault that it named."""
    with tempfile.TemporaryDirectory(prefix=f"oms-{mutant.name}-") as folder:
        root = Path(folder) / "source"
        _copy(root)
        for edit in mutant.edits:
            edit.apply(root)
        wild = [*_WILD, *_shaken(mutant), "--seeds"]
        runs = [("short form", _SHORT), *((f"seed {seed}", [*wild, str(seed)]) for seed in seeds)]
        for name, form in runs:
            said = _run(root, [*form, "--port-offset", str(port_offset)])
            faults = [line.strip() for line in said if line.strip().startswith(_FAULT) and _SYSTEM not in line]
            if not any(line.startswith("seed") for line in said):
                raise RuntimeError(f"{mutant.name}: the matrix did not run: {said[-3:]}")
            if faults:
                return name, f"{faults[0][:200]} ({len(faults)} faults)"
            print_line(f"{mutant.name}: not noticed by {name}: {said[-1] if said else 'nothing was said'}")
    return _NOBODY, ""


def _shaken(mutant: Mutant) -> list[str]:
    """Return the option by which chaos strikes only the service that lacks something, so that orders get there."""
    services = {edit.path.parts[1] for edit in mutant.edits} - {"common"}
    return ["--with_faults", *sorted(services)] if services else []


def _copy(root: Path) -> None:
    root.mkdir()
    (root / ".venv").symlink_to(ROOT / ".venv")
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, root / name)


def _run(root: Path, options: Sequence[str]) -> list[str]:
    """Run the matrix on a copy and return the lines that it said."""
    command = [sys.executable, "-m", "tests.chaos", *options, "--folder", str(root.parent)]
    command += ["--settles-within", _SETTLES_WITHIN_S]
    with tempfile.TemporaryFile("w+") as said:
        matrix = subprocess.Popen(command, cwd=root, stdout=said, stderr=subprocess.STDOUT)
        try:
            matrix.wait(_LONGEST_S)
        except subprocess.TimeoutExpired:
            said.write("\nstuck: the run did not come to its end\n")
        finally:
            matrix.terminate()  # it stops its system then
            matrix.wait()
        said.seek(0)
        return said.read().splitlines()


if __name__ == "__main__":
    sys.exit(main())
