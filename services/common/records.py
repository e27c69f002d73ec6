"""Parts of records that the storage layer reads too: index entries and operation markers. Pure."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, Field

from services.common.errors import InvalidError


class EntryLocation(BaseModel):
    """The location of an index entry; it never changes."""

    shard: int
    page: int


class Entry(BaseModel):
    """One entry of an index: `rev` grows with each change, `open` says whether more changes are expected.

    `entry_location` is set on entries that were read, and is not stored.
    """

    id: str
    at: str
    rev: int = 0
    open: bool = False
    data: dict[str, Any] = Field(default_factory=dict)
    entry_location: EntryLocation | None = Field(default=None, exclude=True)


@dataclass(frozen=True)
class Slice:
    """A page of entries and the cursor of the next page; `cursor` is None at the end.

    Only `follow` fills `cursors`: the cursor after each of the entries.
    """

    entries: list[Entry]
    cursor: str | None
    cursors: list[str] = field(default_factory=list)


class BadCursorError(InvalidError):
    """The cursor is not one of this list."""

    def __init__(self) -> None:
        fields = [("cursor", "is not a cursor of this list")]
        super().__init__("invalidField", "cursor: is not a cursor of this list", fields)


class OperationMarker(BaseModel):
    """Records that an operation has changed the document, when, and with which effect."""

    at: str
    did: dict[str, int] = Field(default_factory=dict)


class MarkedDocument(BaseModel):
    """A document with markers of the operations that have changed it."""

    marks: dict[str, OperationMarker] = Field(default_factory=dict)


Effect = dict[str, int]
"""The effect of an operation on a document; each operation defines its own keys."""
