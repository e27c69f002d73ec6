"""Names and prose use the field's words: each private word that was once here has its standard term."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHECKED = ("launcher/", "services/", "docs/", "README.md", "CONTRIBUTING.md", "demo.http")
SUFFIXES = {".py", ".md", ".html", ".js", ".http", ".toml", ".yaml"}

STANDARD = {
    r"bells?|rung|rings?": "wake-up signal, to signal",
    r"calm|unrest": "documents, fault injector",
    r"dear|dearest": "high-value, or the amount itself",
    r"deeds?": "task",
    r"farewells?": "final messages",
    r"healer|healing|heals?": "stuck-workflow recovery",
    r"heard|unheard": "acknowledged, received",
    r"messenger|postm[ae]n": "dispatcher, its workers",
    r"pulse": "liveness probe",
    r"scarce": "out of stock",
    r"sleepers?": "waiting instances",
    r"told|tells?|telling": "says, notifies, logs, announced",
    r"underway": "in flight",
    r"[Ww]hoever": "name the subject",
    r"waits? for ?ever": "is stuck",
    r"Ground": "service context",
    r"Door": "authenticator",
    r"Combiner": "group commit",
    r"lanes?": "shard",
}
"""What not to write, as a pattern of whole words, and what to write instead."""


def _files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", *CHECKED], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.splitlines() if Path(name).suffix in SUFFIXES]


def test_only_standard_terms_are_used() -> None:
    words = re.compile("|".join(rf"(?P<w{i}>\b(?:{word})\b)" for i, word in enumerate(STANDARD)))
    terms = list(STANDARD.values())
    found = []
    for file in _files():
        # Names in code are read word by word.
        text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", file.read_text(encoding="utf-8"))
        for number, line in enumerate(text.splitlines(), 1):
            found += [
                f"{file.relative_to(ROOT)}:{number}: {match[0]!r}; write: {terms[int((match.lastgroup or 'w0')[1:])]}"
                for match in words.finditer(line)
            ]
    assert not found, "\n".join(found)
