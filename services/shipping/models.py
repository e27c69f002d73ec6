"""Requests, responses and records of shipping."""

from enum import StrEnum

from pydantic import Field, ValidationInfo, field_validator

from services.common.ids import FulfillmentId, OrderId, check_owner
from services.common.json_models import ApiModel, GoodsLine, Request


class BookingStatus(StrEnum):
    """The status of a booking; `booked` may become `cancelled`, which is final."""

    BOOKED = "booked"
    CANCELLED = "cancelled"


class BookingRequest(Request):
    """The body of `POST /bookings`; `id` is the shipment's."""

    id: FulfillmentId
    order_id: OrderId
    items: list[GoodsLine] = Field(min_length=1, max_length=100)

    @field_validator("order_id")
    @classmethod
    def _is_the_owner(cls, order_id: str, info: ValidationInfo) -> str:
        return check_owner(order_id, info.data.get("id"))


class BookingPath(Request):
    """The id in the path of a request about one booking."""

    shipment_id: FulfillmentId


class Booking(ApiModel):
    """A courier booking; one that was cancelled before it was created has no items and no reference."""

    id: str
    order_id: str
    status: BookingStatus
    items: tuple[GoodsLine, ...] = ()
    courier_reference: str | None = None
    created_at: str
    updated_at: str


class BookingAnswer(ApiModel):
    """The response to a booking and to a cancellation."""

    id: str
    status: BookingStatus
    courier_reference: str | None = None


class Settings(ApiModel):
    """The maintenance switch: while not active, new bookings are rejected."""

    active: bool = True


class SettingsAnswer(ApiModel):
    """The response of every endpoint that shows or changes the switch."""

    active: bool
    maintenance_mode: bool
