"""Requests and records of notifications: events for display, and dead letters."""

from typing import Annotated, Any

from pydantic import AfterValidator, Base64Bytes, BaseModel, Field

from services.common.ids import OrderId
from services.common.json_models import ApiModel, Name, Request

MAX_MESSAGE = 500
"""How many characters of a message are stored."""

MAX_ORDER_EVENTS = 300
"""How many events of an order are stored. It bounds the record and is far above the number a workflow publishes."""


def _well_formed(text: str) -> str:
    # A lone surrogate is legal in a JSON escape but cannot be encoded in UTF-8.
    text.encode()
    return text


Text = Annotated[str, AfterValidator(_well_formed)]


class OrderEventData(Request):
    """The part of an order event's `data` that the feed shows."""

    order_id: OrderId
    message: Text = ""
    actor: Name = "system"
    fulfillment_id: Name | None = None


class CloudEvent(Request):
    """An order event as the sidecar delivers it; `time` is RFC 3339."""

    id: Name
    type: Name
    time: Annotated[str, Field(max_length=40)] | None = None
    data: OrderEventData


class Delivery(Request):
    """One message of a bulk delivery, as the broker has it, with any content."""

    entry_id: str
    event: Annotated[Base64Bytes, Field(strict=False)]


class Deliveries(Request):
    """The body of a bulk delivery by the sidecar."""

    entries: list[Delivery]


class FeedEvent(ApiModel):
    """An order event in the feed; `time` is when it happened."""

    id: str
    type: str
    order_id: str
    fulfillment_id: str | None = None
    message: str
    actor: str
    time: str

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON, without `fulfillmentId` if it concerns none."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class OrderFeed(BaseModel):
    """The events of one order, sorted by time, without duplicates."""

    events: list[FeedEvent] = Field(default_factory=list)


class DeadLetter(ApiModel):
    """A message that could not be processed: its id and type if known, and an excerpt of its body."""

    id: str | None = None
    type: str | None = None
    excerpt: str
    seen_at: str

    def to_json(self) -> dict[str, Any]:
        """Return the dead letter as JSON, without missing fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class DeadLetterMark(BaseModel):
    """Records that a dead letter is stored."""

    seen_at: str
