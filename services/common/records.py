"""Parts of records that the storage layer reads too: entries of an index, and markers of operations. Pure."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, Field

from services.common.errors import InvalidError


class EntryLocation(BaseModel):
    """Where an entry lies; it never moves."""

    shard: int
    page: int


class Entry(BaseModel):
    """One line of an index: `rev` grows with each change, `open` says whether more changes are expected.

    `place` is set on what was read, and not stored.
    """

    id: str
    at: str
    rev: int = 0
    open: bool = False
    data: dict[str, Any] = Field(default_factory=dict)
    entry_location: EntryLocation | None = Field(default=None, exclude=True)


@dataclass(frozen=True)
class Slice:
    """Some entries, newest first, and where to go on; `cursor` is None at the end.

    `behind` is filled by `follow` only: the cursor right behind each of the entries.
    """

    entries: list[Entry]
    cursor: str | None
    behind: list[str] = field(default_factory=list)


class BadCursorError(InvalidError):
    """A cursor that the list did not hand out."""

    def __init__(self) -> None:
        fields = [("cursor", "is not a cursor of this list")]
        super().__init__("invalidField", "cursor: is not a cursor of this list", fields)


class OperationMarker(BaseModel):
    """Says that an operation has changed the document, when, and what it did."""

    at: str
    did: dict[str, int] = Field(default_factory=dict)


class MarkedDocument(BaseModel):
    """A document that operations mark."""

    marks: dict[str, OperationMarker] = Field(default_factory=dict)


Effect = dict[str, int]
"""What an operation did to a document, by names of its own."""
