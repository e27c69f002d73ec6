"""The forms of the store manager's page. Pure. Amounts are entered in major units and converted to minor units."""

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
    # Groups of three digits with any usual separator, then a different decimal separator: 1,289.50, 1.289,50, 1 289,50.
    r"(?P<whole>[0-9]{1,3}(?P<sign>[,.'\u2019\s])[0-9]{3}(?:(?P=sign)[0-9]{3}){0,3})(?:(?!(?P=sign))[.,](?P<part>[0-9]{1,9}))?",
)
"""The accepted formats of amounts, in the order of matching: 1,289 is more than a thousand, 59.900 is 59.90."""
_MAX_PRICE = 10_000_000
_MAX_LIMIT = 10**15
_MAX_COUNT = 10_000_000


def parse_amount(text: str) -> int:
    """Parse an amount in major units, in any usual format, and return minor units. Raises ValueError."""
    match = next((match for pattern in _AMOUNTS if (match := re.fullmatch(pattern, text))), None)
    if match is None:
        raise ValueError("must be an amount like 59.90")
    groups = match.groupdict()
    whole = re.sub("[^0-9]", "", groups["whole"])
    return minor_units(Decimal(f"{whole}.{groups['part'] or groups.get('cents') or 0}"))


def format_major_units(amount: int) -> str:
    """Format minor units as an amount in major units; the inverse of `parse_amount`."""
    return f"{amount // 100}.{amount % 100:02}"


def _amount(minimum: int, maximum: int) -> BeforeValidator:
    def read(text: object) -> int:
        amount = parse_amount(str(text))
        if not minimum <= amount <= maximum:
            raise ValueError(f"must be from {format_major_units(minimum)} to {format_major_units(maximum)}")
        return amount

    return BeforeValidator(read)


def _count(text: object) -> int:
    if not re.fullmatch("[0-9]{1,9}", str(text)) or not 1 <= int(str(text)) <= _MAX_COUNT:
        raise ValueError(f"must be a whole number from 1 to {_MAX_COUNT}")
    return int(str(text))


def _optional(text: object) -> object:
    return text or None


def _addressable(sku: str) -> str:
    if not is_path_segment(sku):
        raise ValueError("must not consist of dots only, and must not contain / ? # %")
    return sku


Sku = Annotated[Name, AfterValidator(_addressable)]

# Inventory and fraud check the same bounds, but their messages name minor units.
Price = Annotated[int, _amount(1, _MAX_PRICE)]
Limit = Annotated[int, _amount(0, _MAX_LIMIT)]
Count = Annotated[int, BeforeValidator(_count)]
Optional = Annotated[Name | None, BeforeValidator(_optional)]


class Restock(Request):
    """Stock to add to a warehouse; `form_key` identifies the form, so that sending it twice counts once."""

    sku: Sku
    warehouse: Name
    quantity: Count
    form_key: Name

    def key(self) -> str:
        """Return the idempotency key; it changes when the user corrects the form and sends it again."""
        content = "\n".join((self.form_key, self.sku, self.warehouse, str(self.quantity)))
        return hashlib.sha256(content.encode()).hexdigest()


class Reprice(Request):
    """A new price for an item."""

    sku: Sku
    price: Price

    def item(self) -> Json:
        """Return the request body for the inventory service."""
        return {"unitPrice": self.price}


class NewItem(Reprice):
    """A new item."""

    name: Optional = None
    brand: Optional = None

    def item(self) -> Json:
        """Return the request body for the inventory service."""
        optional = {"name": self.name, "brand": self.brand}
        return super().item() | {field: text for field, text in optional.items() if text is not None}

    def matches(self, item: Json) -> bool:
        """Return whether an item of the catalogue equals this one."""
        return all(item[field] == value for field, value in self.item().items())


class SpendingLimit(Request):
    """The spending limit of each customer; 0 means no limit."""

    limit: Limit


class Switch(Request):
    """A switch to turn on or off."""

    turn: Literal["on", "off"]


def new_form_key() -> str:
    """Return a unique key for a form."""
    return secrets.token_hex(16)


def locations(items: Sequence[Json]) -> list[str]:
    """Return the warehouses of the items, sorted."""
    return sorted({stock["location"] for item in items for stock in item["warehouses"]})
