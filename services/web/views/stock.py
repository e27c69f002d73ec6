"""What a store manager types and sees; pure. Amounts are typed in major units and become minor ones here."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator

from services.common.ids import is_path_segment
from services.common.json_models import Json, Name, Request
from services.common.money import minor_units

_AMOUNTS = (
    r"(?P<whole>[0-9]{1,15})(?:\.(?P<part>[0-9]{1,9})|,(?P<cents>[0-9]{1,2}))?",
    # Groups of three by any of the signs that people use for it, then the other sign: 1,289.50, 1.289,50, 1 289,50.
    r"(?P<whole>[0-9]{1,3}(?P<sign>[,.'\u2019\s])[0-9]{3}(?:(?P=sign)[0-9]{3}){0,3})(?:(?!(?P=sign))[.,](?P<part>[0-9]{1,9}))?",
)
"""How amounts are typed, in the order in which they are tried: 1,289 is far more than one, 59.900 is 59.90."""
_DEAREST = 10_000_000
_HIGHEST_LIMIT = 10**15
_MOST = 10_000_000


def cents(text: str) -> int:
    """Return what a person typed in major units, the way he is used to, as minor units. Raises ValueError."""
    read = next((found for pattern in _AMOUNTS if (found := re.fullmatch(pattern, text))), None)
    if read is None:
        raise ValueError("must be an amount like 59.90")
    named = read.groupdict()
    whole = re.sub("[^0-9]", "", named["whole"])
    return minor_units(Decimal(f"{whole}.{named['part'] or named.get('cents') or 0}"))


def major(amount: int) -> str:
    """Return minor units as a person types them, `cents` backwards."""
    return f"{amount // 100}.{amount % 100:02}"


def _amount(least: int, most: int) -> BeforeValidator:
    def read(text: object) -> int:
        amount = cents(str(text))
        if not least <= amount <= most:
            raise ValueError(f"must be from {major(least)} to {major(most)}")
        return amount

    return BeforeValidator(read)


def _count(text: object) -> int:
    if not re.fullmatch("[0-9]{1,9}", str(text)) or not 1 <= int(str(text)) <= _MOST:
        raise ValueError(f"must be a whole number from 1 to {_MOST}")
    return int(str(text))


def _optional(text: object) -> object:
    return text or None


def _addressable(sku: str) -> str:
    if not is_path_segment(sku):
        raise ValueError("must hold more than dots, and none of / ? # %")
    return sku


Sku = Annotated[Name, AfterValidator(_addressable)]

# Inventory and fraud have these bounds too, but would tell of them in minor units, which nobody typed.
Price = Annotated[int, _amount(1, _DEAREST)]
Limit = Annotated[int, _amount(0, _HIGHEST_LIMIT)]
Count = Annotated[int, BeforeValidator(_count)]
Optional = Annotated[Name | None, BeforeValidator(_optional)]


class Restock(Request):
    """Goods to put on a shelf; `form_key` is the form's own, so that sending it twice counts once."""

    sku: Sku
    warehouse: Name
    quantity: Count
    form_key: Name

    def key(self) -> str:
        """Return the idempotency key: another one when somebody corrects the form and sends it again."""
        content = "\n".join((self.form_key, self.sku, self.warehouse, str(self.quantity)))
        return hashlib.sha256(content.encode()).hexdigest()


class Reprice(Request):
    """A new price for an item."""

    sku: Sku
    price: Price

    def item(self) -> Json:
        """Return the change as inventory takes it."""
        return {"unitPrice": self.price}


class NewItem(Reprice):
    """An item to add."""

    name: Optional = None
    brand: Optional = None

    def item(self) -> Json:
        """Return the item as inventory takes it."""
        named = {"name": self.name, "brand": self.brand}
        return super().item() | {field: text for field, text in named.items() if text is not None}

    def is_like(self, item: Json) -> bool:
        """Tell whether an item of the catalogue is the one that this form asks for."""
        return all(item[field] == value for field, value in self.item().items())


class SpendingLimit(Request):
    """The most that a customer may spend; 0 is no limit."""

    limit: Limit


class Switch(Request):
    """Something to turn on or off."""

    turn: Literal["on", "off"]


def new_form_key() -> str:
    """Return a key that no other form has."""
    return secrets.token_hex(16)


def locations(items: Sequence[Json]) -> list[str]:
    """Return the warehouses that the items lie in."""
    return sorted({shelf["location"] for item in items for shelf in item["warehouses"]})
