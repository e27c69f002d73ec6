"""Reads Markdown pages as far as the tests of the documents need: prose, code, headings and links."""

import re
from dataclasses import dataclass
from pathlib import Path

from launcher.paths import ROOT

_FENCE = re.compile(r"^ *```")
_HEADING = re.compile(r"^#+ +(.+)$")
_LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
_SPAN = re.compile(r"`([^`]+)`")
_INDENT = "    "


@dataclass(frozen=True)
class Line:
    """A line of a page; `is_code` for fenced and indented code blocks."""

    number: int
    text: str
    is_code: bool

    @property
    def is_prose(self) -> bool:
        """Whether the line is text that a reader reads: neither code, nor a table, nor a picture."""
        return not self.is_code and not self.text.startswith(("|", "![", "<!--"))


class Page:
    """A Markdown page."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = _lines(path.read_text(encoding="utf-8"))

    @property
    def text(self) -> str:
        """The page without code blocks, with each run of white space as one space."""
        return " ".join(" ".join(line.text for line in self.lines if not line.is_code).split())

    @property
    def code(self) -> list[str]:
        """The inline code and the lines of the code blocks."""
        return [*_SPAN.findall(self.text), *(line.text.strip() for line in self.lines if line.is_code)]

    @property
    def links(self) -> list[str]:
        """The targets of all links."""
        return _LINK.findall(self.text)

    @property
    def anchors(self) -> set[str]:
        """The fragments that GitHub gives to the headings."""
        headings = [_HEADING.match(line.text) for line in self.lines if not line.is_code]
        return {anchor(match[1]) for match in headings if match}

    @property
    def first_paragraph(self) -> list[str]:
        """The lines between the title and the next blank line."""
        after_title = [line.text for line in self.lines[1:]]
        while after_title and not after_title[0].strip():
            after_title.pop(0)
        end = next((number for number, text in enumerate(after_title) if not text.strip()), len(after_title))
        return after_title[:end]

    def section(self, title: str) -> str:
        """Return the text below a heading of the second level, up to the next one."""
        text = "\n".join(line.text for line in self.lines)
        _, found, rest = text.partition(f"\n## {title}\n")
        assert found, f"{self.path.name} has no section {title!r}"
        return rest.partition("\n## ")[0]

    def table(self, title: str) -> list[list[str]]:
        """Return the cells of the first table of a section, without its header."""
        rows = [line for line in self.section(title).splitlines() if line.startswith("|")]
        return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def anchor(heading: str) -> str:
    """Return the fragment of a heading: lower case, without punctuation, with hyphens for spaces."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _lines(text: str) -> list[Line]:
    lines: list[Line] = []
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        is_fence = bool(_FENCE.match(line))
        # An indented line is code only after a blank line or other code; elsewhere it continues a list item.
        follows_code = not lines or lines[-1].is_code or not lines[-1].text.strip()
        is_indented = line.startswith(_INDENT) and follows_code
        lines.append(Line(number, line, fenced or is_fence or is_indented))
        fenced ^= is_fence
    return lines


README = Page(ROOT / "README.md")
DOCS = {path.relative_to(ROOT / "docs").as_posix(): Page(path) for path in sorted((ROOT / "docs").rglob("*.md"))}
OTHERS = ("CONTRIBUTING.md", "CHANGELOG.md", "workflow_testing/README.md")
PAGES = [README, *(Page(ROOT / name) for name in OTHERS), *DOCS.values()]
