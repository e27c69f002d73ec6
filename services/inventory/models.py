"""Requests, responses and records of inventory. Prices are in minor units."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.common.ids import FulfillmentId, OrderId
from services.common.json_models import ApiModel, GoodsLine, Json, Name, Request
from services.common.money import CURRENCY
from services.common.records import MarkedDocument
from services.inventory.seed import read_seed


def _known_location(text: str) -> str:
    locations = read_seed().locations
    if text not in locations:
        raise ValueError(f"must be one of {', '.join(locations)}")
    return text


UnitPrice = Annotated[int, Field(ge=1, le=10_000_000)]
RestockQuantity = Annotated[int, Field(ge=1, le=10_000_000)]
Location = Annotated[str, AfterValidator(_known_location)]


class FulfillmentStatus(StrEnum):
    """The status of a fulfillment's goods; `releasing` and `committing` are decided but not completed."""

    RESERVED = "reserved"
    RELEASING = "releasing"
    RELEASED = "released"
    COMMITTING = "committing"
    COMMITTED = "committed"
    UNAVAILABLE = "unavailable"


class Ending(StrEnum):
    """How a reservation ends: the goods are released, or committed to the courier."""

    RELEASE = "release"
    COMMIT = "commit"


class ItemBody(Request):
    """The body of `PUT /inventory/{sku}`."""

    name: Name | None = None
    brand: Name | None = None
    unit_price: UnitPrice


class ItemRequest(ItemBody):
    """The body and the SKU of the path."""

    sku: Name


def _name_locations(schema: Json) -> None:
    schema["enum"] = list(read_seed().locations)


class RestockBody(Request):
    """The body of `POST /inventory/{sku}/restock`."""

    warehouse: Annotated[Location, Field(json_schema_extra=_name_locations)]
    quantity: RestockQuantity


class RestockRequest(RestockBody):
    """The body and the Idempotency-Key header."""

    idempotency_key: Name | None = Field(default=None, alias="Idempotency-Key")


class ReserveRequest(Request):
    """The body of `POST /reservations`."""

    order_id: OrderId
    lines: list[GoodsLine] = Field(min_length=1, max_length=100)


class EndBody(Request):
    """The body of release and commit; without `fulfillments` it applies to all that are still reserved."""

    fulfillments: list[FulfillmentId] | None = Field(default=None, max_length=200)


class EndRequest(EndBody):
    """The body and the order id of the path."""

    order_id: OrderId


class Line(ApiModel):
    """A quantity of one SKU; an order or a fulfillment has one line for each SKU."""

    sku: str
    quantity: int


class Stock(BaseModel):
    """The quantity in one location, and how much of it is reserved for orders: 0 <= reserved <= on_hand."""

    model_config = ConfigDict(frozen=True)

    on_hand: int = 0
    reserved: int = 0

    @property
    def available(self) -> int:
        """The quantity that can still be reserved."""
        return self.on_hand - self.reserved


class Item(MarkedDocument):
    """An SKU with its stock in every location."""

    sku: str
    name: str
    brand: str
    unit_price: int
    stock: dict[str, Stock]


class Catalogue(BaseModel):
    """The SKUs that exist, sorted; items are never deleted."""

    skus: list[str] = Field(default_factory=list)


class Restock(BaseModel):
    """A restock with an idempotency key."""

    key: str
    sku: str
    warehouse: str
    quantity: int
    done: bool = False


class Fulfillment(ApiModel):
    """Goods of an order in one location; without a location they are unavailable."""

    id: str
    location: str | None = None
    items: list[Line]
    status: FulfillmentStatus


class Reservation(BaseModel):
    """An order's reservation; `fulfillments` is None until the stock is reserved.

    `known` are the SKUs that were in the catalogue when the reservation was requested. A reservation without lines was
    released before it was requested.
    """

    order_id: str
    lines: list[Line] = Field(default_factory=list)
    known: list[str] = Field(default_factory=list)
    fulfillments: list[Fulfillment] | None = None


class WarehouseAnswer(ApiModel):
    """Stock of an item in one location."""

    location: str
    on_hand: int
    reserved: int
    available: int


class ItemAnswer(ApiModel):
    """The response with an item."""

    sku: str
    name: str
    brand: str
    unit_price: int
    currency: str = CURRENCY
    warehouses: list[WarehouseAnswer]


class ReservationAnswer(ApiModel):
    """The response with a reservation."""

    order_id: str
    fulfillments: list[Fulfillment] | None
