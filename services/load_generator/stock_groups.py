"""The items of the catalogue in groups, for example orders and simulated customers. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.common.json_models import Json

APPROVAL_THRESHOLD = 100_000
"""Orders of this amount or more, in cents, need approval, unless configured otherwise."""
_OUT_OF_STOCK_BRAND = "Adidas"
MAX_QUANTITY = 1000


@dataclass(frozen=True)
class StockGroups:
    """The items of the catalogue: those in stock, high-value ones in stock, and those out of stock."""

    in_stock: Sequence[Json]
    high_value: Sequence[Json]
    out_of_stock: Sequence[Json]


def group_by_stock(items: Sequence[Json], approval_threshold: int) -> StockGroups:
    """Group the items of the catalogue; `in_stock` has high-value items only if there are no others."""
    plenty = [item for item in items if available(item) > MAX_QUANTITY]
    high_value = [item for item in plenty if item["unitPrice"] >= approval_threshold]
    out_of_stock = [item for item in items if item["brand"] == _OUT_OF_STOCK_BRAND or available(item) == 0]
    return StockGroups([item for item in plenty if item not in high_value] or plenty, high_value, out_of_stock)


def available(item: Json) -> int:
    """Return how many of an item are available in all warehouses."""
    return sum(warehouse["available"] for warehouse in item["warehouses"])
