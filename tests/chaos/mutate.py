"""`python -m tests.chaos.mutate`: remove one safeguard after the other, and check that the crash matrix fails.

Each mutant is a copy of the source. The matrix runs on it until it fails: first the short form, then, for faults that
show rarely, runs with much more fault injection.
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

_COPIED = ("components", "launcher", "services", "tests", "workflow_testing", "dapr.yaml", "pyproject.toml")
_LONGEST_S = 900.0
_SHORT = ["--short"]
_MORE_FAULTS = ["--kills", "16", "--rate", "4", "--mostly-cancel", "--retry-timeout", "300"]
_MORE_FAULTS += ["--chaos-switch", "0.5", "--lost-writes", "0.05"]
"""With so many faults orders would reach their retry timeouts. A longer timeout prevents that, so any fault counts."""
_SETTLES_WITHIN_S = "40"
"""Shorter than in a normal run, because a failing run waits for the whole time."""
_NOT_DETECTED = "NOT DETECTED"
_SYSTEM = "the system: does not recover"
"""A machine that is too slow, which is not evidence about the mutant."""
_FAULT = ("lost:", "double:", "stuck:", "wrong:")


def main(arguments: list[str] | None = None) -> int:
    """Run the named mutants, or all. Return 0 if the matrix detected each."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutate", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(mutant.name for mutant in MUTANTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="seeds of the runs with more faults")
    parser.add_argument("--port-offset", type=int, default=4000)
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - {mutant.name for mutant in MUTANTS}:
        parser.error(f"unknown mutants: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    rows = [["mutant", "detected by", "first fault"]]
    for mutant in MUTANTS:
        if mutant.name in (options.names or [mutant.name]):
            rows.append([mutant.name, *detect(mutant, options.seeds, options.port_offset)])
            print_line("  ".join(rows[-1]))
    print_line("\n" + aligned(rows))
    return int(any(row[1] == _NOT_DETECTED for row in rows))


def detect(mutant: Mutant, seeds: Sequence[int], port_offset: int) -> tuple[str, str]:
    """Return the run that detected the mutant, and its first fault."""
    with tempfile.TemporaryDirectory(prefix=f"oms-{mutant.name}-") as folder:
        root = Path(folder) / "source"
        _copy(root)
        for edit in mutant.edits:
            edit.apply(root)
        more_faults = [*_MORE_FAULTS, *_faults_near(mutant), "--seeds"]
        runs = [("short form", _SHORT), *((f"seed {seed}", [*more_faults, str(seed)]) for seed in seeds)]
        for name, form in runs:
            output = _run(root, [*form, "--port-offset", str(port_offset)])
            faults = [line.strip() for line in output if line.strip().startswith(_FAULT) and _SYSTEM not in line]
            if not any(line.startswith("seed") for line in output):
                raise RuntimeError(f"{mutant.name}: the matrix did not run: {output[-3:]}")
            if faults:
                return name, f"{faults[0][:200]} ({len(faults)} faults)"
            print_line(f"{mutant.name}: not detected by {name}: {output[-1] if output else 'no output'}")
    return _NOT_DETECTED, ""


def _faults_near(mutant: Mutant) -> list[str]:
    """Return the option that limits fault injection to the mutated service, so that orders reach it."""
    services = {edit.path.parts[1] for edit in mutant.edits} - {"common"}
    return ["--with-faults", *sorted(services)] if services else []


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
    """Run the matrix on a copy and return its output lines."""
    command = [sys.executable, "-m", "tests.chaos", *options, "--folder", str(root.parent)]
    command += ["--settles-within", _SETTLES_WITHIN_S]
    with tempfile.TemporaryFile("w+") as output:
        matrix = subprocess.Popen(command, cwd=root, stdout=output, stderr=subprocess.STDOUT)
        try:
            matrix.wait(_LONGEST_S)
        except subprocess.TimeoutExpired:
            output.write("\nstuck: the run did not finish\n")
        finally:
            matrix.terminate()  # stops its system
            matrix.wait()
        output.seek(0)
        return output.read().splitlines()


if __name__ == "__main__":
    sys.exit(main())
