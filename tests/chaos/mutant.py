"""A mutant of the system: the edits of its source code that remove one safeguard."""

from dataclasses import dataclass
from pathlib import Path

SERVICES = Path("services")
ORDERPROCESSING = SERVICES / "orderprocessing"


@dataclass(frozen=True)
class Edit:
    """A piece of source code that occurs exactly once, and its replacement."""

    path: Path
    old: str
    new: str

    def apply(self, root: Path) -> None:
        """Change the file below `root`. Raises ValueError unless the piece occurs exactly once."""
        file = root / self.path
        text = file.read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.path} contains {self.old!r} {text.count(self.old)} times")
        file.write_text(text.replace(self.old, self.new))


@dataclass(frozen=True)
class Mutant:
    """The system without one of its safeguards.

    With `system_may_stop`, the safeguard is what makes the system recover as a whole.
    """

    name: str
    without: str
    edits: tuple[Edit, ...]
    system_may_stop: bool = False


def mutant(name: str, without: str, path: Path, *pairs: str) -> Mutant:
    """Return a mutant with edits of one file: `pairs` are pieces of source code, each followed by its replacement."""
    return Mutant(name, without, tuple(Edit(path, old, new) for old, new in zip(pairs[::2], pairs[1::2], strict=True)))
