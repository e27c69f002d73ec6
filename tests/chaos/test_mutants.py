"""The mutants match the code: the piece that each mutant removes exists."""

import ast
import shutil
from pathlib import Path

import pytest

from launcher.paths import ROOT
from tests.chaos.mutants import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_edit_of_a_mutant_applies_and_leaves_valid_python(mutant: Mutant, tmp_path: Path) -> None:
    for path in {edit.path for edit in mutant.edits}:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    for edit in mutant.edits:
        edit.apply(tmp_path)
        ast.parse((tmp_path / edit.path).read_text())


def test_every_mutant_has_a_unique_name() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
