"""The catalogue and stock of the first start, as `catalogue.json` has them."""

from functools import cache
from pathlib import Path

from pydantic import Field

from services.common.json_models import ApiModel


class SeedItem(ApiModel):
    """One SKU: its price in minor units and how many lie where; a location it does not name has none."""

    sku: str
    name: str
    brand: str
    unit_price: int
    stock: dict[str, int] = Field(default_factory=dict)


class Seed(ApiModel):
    """The whole file, grouped so that a reader sees which goods an order needs for two fulfillments."""

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
    """Return the file's content; it is read once."""
    text = Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8")
    return Seed.model_validate_json(text)
