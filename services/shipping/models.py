"""What shipping reads, answers and keeps."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from services.common.ids import FulfillmentId, OrderId, check_owner
from services.common.models import Name, Request, Wire

# An order may name a SKU on several lines, which a fulfillment may have joined: 100 lines of 1,000.
LineQuantity = Annotated[int, Field(ge=1, le=100_000)]


class BookingStatus(StrEnum):
    """Where a booking stands; `booked` may become `cancelled`, which is for ever."""

    BOOKED = "booked"
    CANCELLED = "cancelled"


class Line(Request):
    """Goods in a shipment."""

    # Read from requests and kept in records, which write a field's own name.
    model_config = ConfigDict(populate_by_name=True)

    sku: Name
    quantity: LineQuantity


class BookingRequest(Request):
    """The body of `POST /bookings`; `id` is the shipment's."""

    id: FulfillmentId
    order_id: OrderId
    items: list[Line] = Field(min_length=1, max_length=100)

    @field_validator("order_id")
    @classmethod
    def _is_the_owner(cls, order_id: str, info: ValidationInfo) -> str:
        return check_owner(order_id, info.data.get("id"))


class BookingPath(Request):
    """The id in the path of a request about one booking."""

    id: FulfillmentId


class Booking(Wire):
    """A courier booking; one that was cancelled before it was made has no items and no reference."""

    id: str
    order_id: str
    status: BookingStatus
    items: tuple[Line, ...] = ()
    courier_reference: str | None = None
    created_at: str
    updated_at: str


class BookingAnswer(Wire):
    """The answer to booking and to cancelling."""

    id: str
    status: BookingStatus
    courier_reference: str | None = None


class Settings(Wire):
    """The maintenance switch: while not active, nothing new is booked."""

    active: bool = True
