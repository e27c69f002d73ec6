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
    """The content of the file: the warehouses and the items."""

    locations: list[str]
    items: list[SeedItem]


@cache
def read_seed() -> Seed:
    """Return the content of the file, which is read once."""
    text = Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8")
    return Seed.model_validate_json(text)
