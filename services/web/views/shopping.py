"""The customer's side of ordering: orders to choose from, and the cart; pure."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from services.common.json_models import Json
from services.common.money import CURRENCY
from services.common.web.problems import invalid

SAMPLES = 20
DEAR = 100_000
"""From this worth on, in cents, an order is approved by a person first, where nothing else is configured."""
_SCARCE = "Adidas"
MOST = 1000
_FIELD = "quantity:"
_SEEN = "price:"


@dataclass(frozen=True)
class Sample:
    """An order to choose: its goods and their prices by SKU, in cents, and what is to be expected of it."""

    id: str
    lines: Mapping[str, int]
    prices: Mapping[str, int]
    total: int
    missing: bool
    dear: bool


@dataclass(frozen=True)
class Shelves:
    """The goods by what an order of them leads to: plain ones, dear ones, and those that are out of stock."""

    plain: Sequence[Json]
    dear: Sequence[Json]
    scarce: Sequence[Json]


def shelves(items: Sequence[Json], dear_from: int) -> Shelves:
    """Return the goods of the catalogue by kind; where all goods are dear, they are plain too."""
    there = [item for item in items if _available(item) > MOST]
    dear = [item for item in there if item["unitPrice"] >= dear_from]
    scarce = [item for item in items if item["brand"] == _SCARCE or _available(item) == 0]
    return Shelves([item for item in there if item not in dear] or there, dear, scarce)


def worth(amount: int, currency: str = CURRENCY) -> str:
    """Return cents as a sentence has them."""
    return f"{amount / 100:,.2f} {currency}"


def new_order_id() -> str:
    """Return an order id that nobody else has; a form that is sent twice is one order by it."""
    return f"web-{secrets.token_hex(6)}"


def samples(items: Sequence[Json], chance: Random, dear_from: int = DEAR) -> list[Sample]:
    """Return orders to choose from: first one item that is there, then a mix in which some lack goods or are dear."""
    goods = shelves(items, dear_from)
    plain, dear, scarce = goods.plain, goods.dear, goods.scarce
    if not plain:
        return []
    chosen = [_sample([(chance.choice(plain), 1)], dear_from)]
    while len(chosen) < SAMPLES:
        wanted = [(item, chance.randint(1, 3)) for item in chance.sample(plain, min(len(plain), chance.randint(1, 3)))]
        number = len(chosen)
        if scarce and number % 4 == 1:
            wanted.append((chance.choice(scarce), 1))
        if number % 5 == 2:
            wanted = [(chance.choice(dear), 1), *wanted] if dear else [(item, MOST) for item, _ in wanted]
        chosen.append(_sample(wanted, dear_from))
    return chosen


def read_lines(form: Mapping[str, str]) -> dict[str, int]:
    """Return the goods of a form, which has a field `quantity:SKU` for each item. Raises the problem 422."""
    lines, wrong = dict[str, int](), list[tuple[str, str]]()
    for field, text in form.items():
        if not field.startswith(_FIELD) or text.strip() in {"", "0"}:
            continue
        sku = field.removeprefix(_FIELD)
        if re.fullmatch(r"[0-9]{1,4}", text.strip()) and int(text) <= MOST:
            lines[sku] = int(text)
        else:
            wrong.append((field, f"the quantity must be a whole number up to {MOST}"))
    if wrong:
        raise invalid(*wrong)
    if not lines:
        raise invalid(("cart", "choose at least one item"))
    return lines


def seen_prices(form: Mapping[str, str], lines: Mapping[str, int]) -> dict[str, int] | None:
    """Return the prices in cents that the page showed, its fields `price:SKU`; None if it did not show all of them."""
    shown = {sku: form.get(_SEEN + sku, "") for sku in lines}
    if not all(re.fullmatch(r"[0-9]{1,15}", text) for text in shown.values()):
        return None
    return {sku: int(text) for sku, text in shown.items()}


def price_news(seen: Mapping[str, int], items: Sequence[Json]) -> str:
    """Return in a sentence which prices are others than those that a person has seen, as the catalogue is now."""
    now = {item["sku"]: item for item in items}
    changed = [
        f"{sku} costs {worth(now[sku]['unitPrice'], now[sku]['currency'])} now, not {worth(price)}"
        for sku, price in seen.items()
        if sku in now and now[sku]["unitPrice"] != price
    ]
    what = f": {', '.join(changed)}" if changed else ""
    return f"A price has changed since you opened this page{what}. Nothing was ordered: order again if you agree."


def _sample(goods: Sequence[tuple[Json, int]], dear_from: int) -> Sample:
    lines = {item["sku"]: quantity for item, quantity in goods}
    prices = {item["sku"]: item["unitPrice"] for item, _ in goods}
    missing = {item["sku"] for item, _ in goods if _available(item) == 0}
    worth = sum(prices[sku] * quantity for sku, quantity in lines.items() if sku not in missing)
    return Sample(
        id=new_order_id(),
        lines=lines,
        prices=prices,
        total=sum(prices[sku] * quantity for sku, quantity in lines.items()),
        missing=bool(missing),
        dear=worth >= dear_from,
    )


def _available(item: Json) -> int:
    return sum(warehouse["available"] for warehouse in item["warehouses"])
