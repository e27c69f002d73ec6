"""The patches of docs/upgrades.md apply to the code of today, and the code with them compiles."""

import compileall
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from launcher.paths import ROOT

DOCUMENT = ROOT / "docs" / "upgrades.md"
PATCHES = re.findall(r"^    git apply (docs/upgrades/\S+)$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "services" / "orderprocessing", tmp_path / "services" / "orderprocessing")
    return tmp_path


def apply(code: Path, *arguments: str) -> None:
    *options, name = arguments
    env = os.environ | {"GIT_CEILING_DIRECTORIES": str(code.parent)}
    subprocess.run(["git", "apply", *options, ROOT / name], cwd=code, env=env, check=True)


def test_the_document_names_every_patch() -> None:
    assert [(ROOT / name).name for name in PATCHES] == sorted(path.name for path in DOCUMENT.with_suffix("").iterdir())


def test_the_patches_apply_one_after_the_other_and_can_be_taken_back(code: Path) -> None:
    before = (code / "services/orderprocessing/workflows/order.py").read_text(encoding="utf-8")
    for name in PATCHES:
        apply(code, name)
        assert compileall.compile_dir(code / "services", quiet=1, force=True)
    for name in reversed(PATCHES):
        apply(code, "-R", name)
    assert (code / "services/orderprocessing/workflows/order.py").read_text(encoding="utf-8") == before
