"""The list of precautions stays true: what each mutant takes away is there."""

import ast
import shutil
from pathlib import Path

import pytest

from launcher.paths import ROOT
from tests.chaos.mutants import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_what_a_mutant_takes_away_is_there_and_the_rest_is_a_program(mutant: Mutant, tmp_path: Path) -> None:
    for path in {edit.path for edit in mutant.edits}:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    for edit in mutant.edits:
        edit.apply(tmp_path)
        ast.parse((tmp_path / edit.path).read_text())


def test_every_mutant_has_a_name_of_its_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
