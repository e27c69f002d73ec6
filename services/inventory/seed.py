"""The initial catalogue and stock, from `catalogue.json`."""

from functools import cache
from pathlib import Path

from pydantic import Field

from services.common.json_models import ApiModel


class SeedItem(ApiModel):
    """One SKU with its price in minor units and its stock by location; other locations have none."""

    sku: str
    name: str
    brand: str
    unit_price: int
    stock: dict[str, int] = Field(default_factory=dict)


class Seed(ApiModel):
    """The content of the file, grouped by availability, so that it shows which goods split an order."""

    locations: list[str]
    only_in_warehouse_a: list[SeedItem]
    only_in_warehouse_b: list[SeedItem]
    in_both_warehouses: list[SeedItem]
    out_of_stock: list[SeedItem]

    def items(self) -> list[SeedItem]:
        """Return every SKU of the file."""
        return [
            *self.only_in_warehouse_a,
            *self.only_in_warehouse_b,
            *self.in_both_warehouses,
            *self.out_of_stock,
        ]


@cache
def read_seed() -> Seed:
    """Return the content of the file, which is read once."""
    text = Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8")
    return Seed.model_validate_json(text)
