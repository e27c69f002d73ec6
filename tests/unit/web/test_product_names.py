"""Product names."""

import pytest

from services.common.dapr.sidecar import TransientError
from services.common.json_models import Json
from services.web.views.product_names import ProductNames, product_name


def item(sku: str, name: str, brand: str) -> Json:
    return {"sku": sku, "name": name, "brand": brand}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (item("Vans Old Skool", "Old Skool", "Vans"), "Vans Old Skool"),
        (item("milk", "Milk", "Grocery"), "Milk"),
        (item("iPhone", "iPhone", "Apple"), "iPhone"),
        (item("warm boots", "warm boots", "warm"), "warm boots"),
        (item("4711", "Wool socks", "Warm"), "Wool socks"),
    ],
)
def test_a_product_name_has_the_brand_if_the_sku_has_it(given: Json, name: str) -> None:
    assert product_name(given) == name


def test_names_are_read_once_a_minute_and_kept_during_an_outage() -> None:
    reads, now = list[float](), 0.0
    catalogue: list[Json] = [item("milk", "Milk", "Grocery")]

    def items() -> list[Json]:
        reads.append(now)
        if now == 60:
            raise TransientError("no answer")
        return catalogue

    names = ProductNames(items, lambda: now)
    for moment in (0, 30, 60, 61, 119):
        now = moment
        assert names.by_sku() == {"milk": "Milk"}
    catalogue = []
    now = 120
    assert names.by_sku() == {}
    assert reads == [0, 60, 120]
