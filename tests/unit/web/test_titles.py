"""What goods are called."""

import pytest

from services.common.dapr.sidecar import TransientError
from services.common.json_models import Json
from services.web.views.product_names import Titles, title_of


def item(sku: str, name: str, brand: str) -> Json:
    return {"sku": sku, "name": name, "brand": brand}


@pytest.mark.parametrize(
    ("given", "title"),
    [
        (item("Vans Old Skool", "Old Skool", "Vans"), "Vans Old Skool"),
        (item("milk", "Milk", "Grocery"), "Milk"),
        (item("iPhone", "iPhone", "Apple"), "iPhone"),
        (item("warm boots", "warm boots", "warm"), "warm boots"),
        (item("4711", "Wool socks", "Warm"), "Wool socks"),
    ],
)
def test_goods_are_called_by_the_catalogues_name(given: Json, title: str) -> None:
    assert title_of(given) == title


def test_names_are_asked_for_once_a_minute_and_kept_while_the_catalogue_is_away() -> None:
    asked, now = list[float](), 0.0
    catalogue: list[Json] = [item("milk", "Milk", "Grocery")]

    def items() -> list[Json]:
        asked.append(now)
        if now == 60:
            raise TransientError("no answer")
        return catalogue

    titles = Titles(items, lambda: now)
    for moment in (0, 30, 60, 61, 119):
        now = moment
        assert titles.of() == {"milk": "Milk"}
    catalogue = []
    now = 120
    assert titles.of() == {}
    assert asked == [0, 60, 120]
