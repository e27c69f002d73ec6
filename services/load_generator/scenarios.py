"""What the stream orders, and how the people behind an order behave; pure but for the chance that is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from services.common.json_models import Json
from services.load_generator.settings import StreamSettings
from services.web.views.shopping import DEAR, MOST, shelves

_LINES = 3
_PIECES = 2
_CUSTOMERS = 200
_CHANGE_MIND_WITHIN = 3.0


@dataclass(frozen=True)
class Person:
    """What the customer and the approver of one order will do when their time comes; None is silence.

    `changes_mind` is after how many seconds the customer cancels without being asked, None for never.
    """

    answer: str | None
    approves: bool | None
    changes_mind: float | None


class Mix:
    """Makes orders and people by the shares of the settings."""

    def __init__(self, settings: StreamSettings, items: Sequence[Json], chance: Random, dear_from: int = DEAR) -> None:
        self._settings, self._chance, self._dear_from = settings, chance, dear_from
        self._shelves = shelves(items, dear_from)

    @property
    def empty(self) -> bool:
        """Whether nothing can be ordered, because no goods are on the shelves."""
        return not self._shelves.plain

    def basket(self) -> dict[str, int]:
        """Return the goods of the next order, by SKU."""
        plain, chance = self._shelves.plain, self._chance
        chosen = chance.sample(plain, min(len(plain), chance.randint(1, _LINES)))
        lines: dict[str, int] = {item["sku"]: chance.randint(1, _PIECES) for item in chosen}
        if self._happens(self._settings.dear):
            lines |= self._dear_line()
        if self._shelves.scarce and self._happens(self._settings.missing):
            lines[chance.choice(self._shelves.scarce)["sku"]] = 1
        return lines

    def person(self) -> Person:
        """Return the people of the next order."""
        wish, settings = self._chance.uniform(0, 100), self._settings
        answer = "amend" if wish < settings.amend else "cancel" if wish < settings.amend + settings.cancel else None
        verdict = self._chance.uniform(0, 100)
        approves = (
            True if verdict < settings.approve else False if verdict < settings.approve + settings.reject else None
        )
        moody = self._happens(settings.change_mind)
        return Person(answer, approves, self._chance.uniform(0, _CHANGE_MIND_WITHIN) if moody else None)

    def customer(self) -> str:
        """Return who orders next."""
        return f"stream-{self._chance.randint(1, _CUSTOMERS)}"

    def _dear_line(self) -> dict[str, int]:
        item = self._chance.choice(self._shelves.dear or self._shelves.plain)
        wanted = -(-self._dear_from // max(item["unitPrice"], 1))
        return {item["sku"]: min(max(wanted, 1), MOST)}

    def _happens(self, percent: float) -> bool:
        return self._chance.uniform(0, 100) < percent
