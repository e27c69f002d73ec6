"""What notifications reads and keeps: events for display, and dead letters."""

from typing import Annotated, Any

from pydantic import AfterValidator, Base64Bytes, BaseModel, Field

from services.common.ids import OrderId
from services.common.json_models import ApiModel, Name, Request

MAX_MESSAGE = 500
"""How many characters of a message are kept."""

MAX_ORDER_EVENTS = 300
"""How many events one order may have, far above what its workflow makes, so that its record stays bounded."""


def _well_formed(text: str) -> str:
    # A lone surrogate is legal in a JSON escape, but no UTF-8: it could not be stored.
    text.encode()
    return text


Text = Annotated[str, AfterValidator(_well_formed)]


class OrderEventData(Request):
    """The `data` of an order event, as far as the feed shows it."""

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
    """A message as the sidecar delivers it among others: as the broker has it, which may be anything."""

    entry_id: str
    event: Annotated[Base64Bytes, Field(strict=False)]


class Deliveries(Request):
    """What the sidecar delivers at once."""

    entries: list[Delivery]


class FeedEvent(ApiModel):
    """An order event as it is kept and shown; `time` is when it happened."""

    id: str
    type: str
    order_id: str
    fulfillment_id: str | None = None
    message: str
    actor: str
    time: str

    def to_json(self) -> dict[str, Any]:
        """Return the event as it goes over the wire, without a fulfillment where it concerns none."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class OrderFeed(BaseModel):
    """The events of one order, in the order of their arrival; no event twice."""

    events: list[FeedEvent] = Field(default_factory=list)


class DeadLetter(ApiModel):
    """A message that could not be processed: what is known of it, and the beginning of its body as text."""

    id: str | None = None
    type: str | None = None
    excerpt: str
    seen_at: str

    def to_json(self) -> dict[str, Any]:
        """Return the dead letter as it goes over the wire, without what the message did not have."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class DeadLetterMark(BaseModel):
    """Says that a dead letter is kept already."""

    seen_at: str
