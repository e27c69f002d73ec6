"""The list of mutants matches the code: the safeguard that each mutant removes exists."""

import ast
import shutil
from pathlib import Path

import pytest

from launcher.paths import ROOT
from tests.chaos.mutant import Mutant
from tests.chaos.mutants import MUTANTS
from tests.chaos.mutate import faults_in


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_removes_existing_code_and_leaves_valid_python(mutant: Mutant, tmp_path: Path) -> None:
    for path in {edit.path for edit in mutant.edits}:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    for edit in mutant.edits:
        edit.apply(tmp_path)
        ast.parse((tmp_path / edit.path).read_text())


def test_a_system_that_does_not_recover_counts_only_for_a_mutant_that_stops_the_system() -> None:
    output = ["seed 1", "  stuck: the system: does not recover: no worker", "  double: A1: charged twice", "0 orders"]
    detected = {mutant.name: len(faults_in(output, mutant)) for mutant in MUTANTS}
    assert detected.pop("engine-sidecar-restart") == 2
    assert set(detected.values()) == {1}


def test_mutant_names_are_unique() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
