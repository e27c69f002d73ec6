"""The recorded histories: one compressed file for each scenario of the end-to-end tests."""

from pathlib import Path

FOLDER = Path(__file__).parent / "histories"
"""A folder for each set of recordings. A set stays while orders that began with its code may still run."""
SUFFIX = ".json.gz"


def files() -> list[Path]:
    """Return the files of all sets."""
    return sorted(FOLDER.glob(f"*/*{SUFFIX}"))


def file_of(recordings: str, scenario: str) -> Path:
    """Return the file of a scenario in a set."""
    return FOLDER / recordings / f"{scenario}{SUFFIX}"


def scenario_of(file: Path) -> str:
    """Return the scenario of a file."""
    return file.name.removesuffix(SUFFIX)
