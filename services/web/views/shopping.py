"""The example orders and the cart of the shop. Pure."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from services.common.json_models import Json
from services.common.money import CURRENCY
from services.common.web.problems import invalid
from services.load_generator.stock_groups import APPROVAL_THRESHOLD, MAX_QUANTITY, available, group_by_stock

EXAMPLES = 20
_QUANTITY_FIELD = "quantity:"
_PRICE_FIELD = "price:"


@dataclass(frozen=True)
class ExampleOrder:
    """An order for customers to choose: quantities and prices by SKU, in cents, and what will happen to it."""

    id: str
    lines: Mapping[str, int]
    prices: Mapping[str, int]
    total: int
    out_of_stock: bool
    needs_approval: bool


def format_amount(amount: int, currency: str = CURRENCY) -> str:
    """Format an amount of cents for a sentence."""
    return f"{amount / 100:,.2f} {currency}"


def new_order_id() -> str:
    """Return a unique order id for a form; sent twice, the form places one order."""
    return f"web-{secrets.token_hex(6)}"


def example_orders(
    items: Sequence[Json], random: Random, approval_threshold: int = APPROVAL_THRESHOLD
) -> list[ExampleOrder]:
    """Return random orders: first one item in stock, then a mix with out-of-stock and high-value ones."""
    stock = group_by_stock(items, approval_threshold)
    in_stock, high_value, out_of_stock = stock.in_stock, stock.high_value, stock.out_of_stock
    if not in_stock:
        return []
    examples = [_example([(random.choice(in_stock), 1)], approval_threshold)]
    while len(examples) < EXAMPLES:
        chosen = random.sample(in_stock, min(len(in_stock), random.randint(1, 3)))
        lines = [(item, random.randint(1, 3)) for item in chosen]
        number = len(examples)
        if out_of_stock and number % 4 == 1:
            lines.append((random.choice(out_of_stock), 1))
        if number % 5 == 2:
            if high_value:
                lines = [(random.choice(high_value), 1), *lines]
            else:
                lines = [(item, MAX_QUANTITY) for item, _ in lines]
        examples.append(_example(lines, approval_threshold))
    return examples


def read_lines(form: Mapping[str, str]) -> dict[str, int]:
    """Return the quantities by SKU of a form with fields `quantity:SKU`. Raises the problem 422."""
    lines, errors = dict[str, int](), list[tuple[str, str]]()
    for field, text in form.items():
        if not field.startswith(_QUANTITY_FIELD) or text.strip() in {"", "0"}:
            continue
        sku = field.removeprefix(_QUANTITY_FIELD)
        if re.fullmatch(r"[0-9]{1,4}", text.strip()) and int(text) <= MAX_QUANTITY:
            lines[sku] = int(text)
        else:
            errors.append((field, f"the quantity must be a whole number up to {MAX_QUANTITY}"))
    if errors:
        raise invalid(*errors)
    if not lines:
        raise invalid(("cart", "choose at least one item"))
    return lines


def shown_prices(form: Mapping[str, str], lines: Mapping[str, int]) -> dict[str, int] | None:
    """Return the prices in cents that the page showed, from its fields `price:SKU`; None if any is missing."""
    prices = {sku: form.get(_PRICE_FIELD + sku, "") for sku in lines}
    if not all(re.fullmatch(r"[0-9]{1,15}", text) for text in prices.values()):
        return None
    return {sku: int(text) for sku, text in prices.items()}


def price_change_message(shown: Mapping[str, int], items: Sequence[Json]) -> str:
    """Return a message that names the prices that differ from those that the customer has seen."""
    current = {item["sku"]: item for item in items}
    changes = [
        f"{sku} now costs {format_amount(current[sku]['unitPrice'], current[sku]['currency'])}"
        f" instead of {format_amount(price)}"
        for sku, price in shown.items()
        if sku in current and current[sku]["unitPrice"] != price
    ]
    details = f": {', '.join(changes)}" if changes else ""
    return f"A price has changed since you opened this page{details}. Nothing was ordered. Order again to accept."


def _example(goods: Sequence[tuple[Json, int]], approval_threshold: int) -> ExampleOrder:
    lines = {item["sku"]: quantity for item, quantity in goods}
    prices = {item["sku"]: item["unitPrice"] for item, _ in goods}
    out_of_stock = {item["sku"] for item, _ in goods if available(item) == 0}
    in_stock_total = sum(prices[sku] * quantity for sku, quantity in lines.items() if sku not in out_of_stock)
    return ExampleOrder(
        id=new_order_id(),
        lines=lines,
        prices=prices,
        total=sum(prices[sku] * quantity for sku, quantity in lines.items()),
        out_of_stock=bool(out_of_stock),
        needs_approval=in_stock_total >= approval_threshold,
    )
