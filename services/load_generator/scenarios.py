"""What simulated customers order, and how customers and approvers behave. Pure except for the given randomness."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from services.common.json_models import Json
from services.load_generator.settings import StreamSettings
from services.load_generator.stock_groups import APPROVAL_THRESHOLD, MAX_QUANTITY, group_by_stock

_MAX_LINES = 3
_MAX_QUANTITY_PER_LINE = 2
_CUSTOMERS = 200
_CANCEL_WITHIN = 3.0


@dataclass(frozen=True)
class Behavior:
    """What the customer and the approver of one order do when asked; None means that they do not answer.

    `cancels_after` is after how many seconds the customer cancels without being asked, None for never.
    """

    customer_action: str | None
    approves: bool | None
    cancels_after: float | None


class Scenarios:
    """Makes random orders and behaviors with the shares of the settings. Not thread-safe."""

    def __init__(
        self,
        settings: StreamSettings,
        items: Sequence[Json],
        random: Random,
        approval_threshold: int = APPROVAL_THRESHOLD,
    ) -> None:
        self._settings, self._random, self._approval_threshold = settings, random, approval_threshold
        self._stock = group_by_stock(items, approval_threshold)

    @property
    def empty(self) -> bool:
        """Whether nothing can be ordered because nothing is in stock."""
        return not self._stock.in_stock

    def basket(self) -> dict[str, int]:
        """Return the quantities of the next order by SKU."""
        in_stock, random = self._stock.in_stock, self._random
        chosen = random.sample(in_stock, min(len(in_stock), random.randint(1, _MAX_LINES)))
        lines: dict[str, int] = {item["sku"]: random.randint(1, _MAX_QUANTITY_PER_LINE) for item in chosen}
        if self._happens(self._settings.high_value):
            lines |= self._high_value_line()
        if self._stock.out_of_stock and self._happens(self._settings.out_of_stock):
            lines[random.choice(self._stock.out_of_stock)["sku"]] = 1
        return lines

    def behavior(self) -> Behavior:
        """Return how the customer and the approver of the next order behave."""
        settings, drawn = self._settings, self._random.uniform(0, 100)
        action = "amend" if drawn < settings.amend else "cancel" if drawn < settings.amend + settings.cancel else None
        drawn = self._random.uniform(0, 100)
        approves = True if drawn < settings.approve else False if drawn < settings.approve + settings.reject else None
        cancels = self._happens(settings.change_mind)
        return Behavior(action, approves, self._random.uniform(0, _CANCEL_WITHIN) if cancels else None)

    def customer_id(self) -> str:
        """Return the customer of the next order."""
        return f"stream-{self._random.randint(1, _CUSTOMERS)}"

    def _high_value_line(self) -> dict[str, int]:
        item = self._random.choice(self._stock.high_value or self._stock.in_stock)
        quantity = -(-self._approval_threshold // max(item["unitPrice"], 1))
        return {item["sku"]: min(max(quantity, 1), MAX_QUANTITY)}

    def _happens(self, percent: float) -> bool:
        return self._random.uniform(0, 100) < percent
