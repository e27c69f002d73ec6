"""Failed checks, and the columns of the results table that count them."""

from dataclasses import dataclass
from enum import StrEnum


class Column(StrEnum):
    """The columns of the results table that must be zero."""

    LOST = "lost"
    DOUBLE = "double"
    STUCK = "stuck"
    WRONG = "wrong"


@dataclass(frozen=True)
class Fault:
    """A failed check. `about` is an order or a component."""

    column: Column
    about: str
    text: str

    def __str__(self) -> str:
        return f"{self.column.value}: {self.about}: {self.text}"
