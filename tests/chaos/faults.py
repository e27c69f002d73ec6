"""What may be wrong after a round, and in which column of the table it counts."""

from dataclasses import dataclass
from enum import StrEnum


class Column(StrEnum):
    """The columns of the table that must be zero."""

    LOST = "lost"
    DOUBLE = "double"
    STUCK = "stuck"
    WRONG = "wrong"


@dataclass(frozen=True)
class Fault:
    """Something that is not as promised; `about` is an order or a part of the system."""

    column: Column
    about: str
    text: str

    def __str__(self) -> str:
        return f"{self.column.value}: {self.about}: {self.text}"
