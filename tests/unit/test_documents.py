"""The documents name only files, links, commands and tests that exist, and all pages have the same form."""

import re
from collections.abc import Iterator
from functools import cache

import pytest

from launcher.paths import ROOT
from tests.unit.markdown import DOCS, PAGES, README, Page, anchor

WIDTH = 100
FOLDERS = ("services", "launcher", "workflow_testing", "tests", "docs", "components", "alternatives", ".github")
SUFFIXES = ("py", "md", "yaml", "http", "toml", "in", "js", "html")
CHANGED_NAMES = "CHANGELOG.md"
"""The changelog may name what no longer exists."""

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.relative_to(ROOT).as_posix())


@cache
def file_names() -> set[str]:
    """Return the names of all files of the project."""
    inside = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    return {path.name for path in [*inside, *ROOT.iterdir()]}


@cache
def make_targets() -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@cache
def names_of_tests() -> set[str]:
    """Return the names of all test functions."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    return {name for source in sources for name in re.findall(r"^def (test_\w+)", source, re.MULTILINE)}


@each_page
def test_every_path_that_a_page_names_exists(page: Page) -> None:
    path = re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./*-]*")
    if page.path.name != CHANGED_NAMES:
        named = [found.rstrip(".") for code in page.code for found in path.findall(code)]
        assert [name for name in named if not any(ROOT.glob(name.rstrip("/")))] == []


@each_page
def test_every_file_name_and_test_that_a_page_names_exists(page: Page) -> None:
    file = re.compile(rf"(?<![\w./*-])[\w-]+\.(?:{'|'.join(SUFFIXES)})")
    named = [code for code in page.code if file.fullmatch(code)]
    assert [name for name in named if name not in file_names()] == []
    assert [code for code in page.code if re.fullmatch(r"test_\w+", code) and code not in names_of_tests()] == []


@each_page
def test_every_module_that_a_page_runs_exists(page: Page) -> None:
    modules = [name for code in page.code for name in re.findall(r"-m ((?:services|launcher|tests)[\w.]*)", code)]
    paths = [ROOT / name.replace(".", "/") for name in modules]
    assert [path for path in paths if not path.with_suffix(".py").exists() and not path.is_dir()] == []


@each_page
def test_every_link_and_anchor_resolves(page: Page) -> None:
    for link in page.links:
        if "://" not in link:
            target, _, fragment = link.partition("#")
            path = (page.path.parent / target).resolve() if target else page.path
            assert path.exists(), link
            assert not fragment or fragment in Page(path).anchors, link


@each_page
def test_every_make_target_that_a_page_names_exists(page: Page) -> None:
    assert [name for code in page.code for name in targets_in(code) if name not in make_targets()] == []


def targets_in(code: str) -> Iterator[str]:
    """Return the targets of a make command; `make` alone and what follows a comment sign are none."""
    for command in re.findall(r"(?<![\w-])make ([^#|;&`()]+)", code):
        for word in command.split():
            if re.fullmatch(r"[a-z][a-z-]*", word):
                yield word
            elif "=" not in word:
                break


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("make lock audit test", ["lock", "audit", "test"]),
        ("make run REPLICAS=2 nonsense", ["run", "nonsense"]),
        ("ENCRYPTION_KEY_ID= make run", ["run"]),
        ("make test      # sets up everything", ["test"]),
        ("cmake x", []),
    ],
)
def test_targets_are_found_in_commands(code: str, expected: list[str]) -> None:
    assert list(targets_in(code)) == expected


def test_anchors_are_those_of_github() -> None:
    assert anchor("What `make run` keeps, or not") == "what-make-run-keeps-or-not"


@each_page
def test_prose_is_at_most_100_characters_wide(page: Page) -> None:
    # A single word, such as a link or a command in backticks, may be longer.
    wide = [line for line in page.lines if line.is_prose and len(line.text) > WIDTH]
    assert [f"{line.number}: {line.text}" for line in wide if " " in re.sub(r"`[^`]*`", "", line.text.strip())] == []


@each_page
def test_a_page_says_in_its_first_two_lines_what_it_is_for(page: Page) -> None:
    assert page.lines[0].text.startswith("# ")
    assert 1 <= len(page.first_paragraph) <= 2


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = {README.path}, [README]
    while waiting:
        page = waiting.pop()
        targets = {(page.path.parent / link.partition("#")[0]).resolve() for link in page.links if "://" not in link}
        new = {path for path in targets if path.suffix == ".md"} - reached
        reached |= new
        waiting += [Page(path) for path in new]
    assert {page.path for page in PAGES} <= reached


def test_the_glossary_is_sorted_and_has_at_most_twenty_terms() -> None:
    terms = [row[0] for row in DOCS["architecture.md"].table("Glossary")]
    assert terms == sorted(terms)
    assert 10 <= len(terms) <= 20


def test_the_changes_that_the_readme_explains_are_ten_or_more_and_name_files() -> None:
    rows = README.table("Change it")
    assert len(rows) >= 10
    assert [change for change, files in rows if "`" not in files] == []
