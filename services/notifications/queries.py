"""The query parameters of the feed."""

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from services.common.ids import ORDER_ID_PATTERN
from services.common.json_models import Request
from services.common.web.paging import CURSOR, LIMIT, Limit, check_index_cursor
from services.notifications import domain

LAST_EVENT = "the id of the last event that the client has: the stream continues behind it"


def _order_id(text: str) -> str:
    if not domain.is_order_id(text):
        raise ValueError("must be 1 to 40 letters, digits, '_' and '-', beginning with a letter or digit")
    return text


OrderIdFilter = Annotated[str, AfterValidator(_order_id), Field(json_schema_extra={"pattern": f"^{ORDER_ID_PATTERN}$"})]
_ORDER_ID = Field(default=None, description="only events of this order")


class EventsQuery(Request):
    """The query of `GET /events`: the events of one order have cursors of their own."""

    order_id: OrderIdFilter | None = _ORDER_ID
    limit: Limit = LIMIT
    cursor: str | None = CURSOR

    @field_validator("cursor")
    @classmethod
    def _is_a_cursor(cls, text: str | None, info: ValidationInfo) -> str | None:
        if not text or "order_id" not in info.data:
            return text
        if info.data["order_id"] is None:
            return check_index_cursor(text)
        if not domain.is_feed_cursor(text):
            raise ValueError("is not a cursor of this list")
        return text


class StreamQuery(Request):
    """The query of `GET /events/stream`."""

    order_id: OrderIdFilter | None = _ORDER_ID
    last_event_id: str | None = Field(default=None, description=LAST_EVENT)


class FeedPageQuery(Request):
    """The query of the feed's page, which ignores an order id that no order has."""

    order_id: str | None = Field(default=None, description="shows only this order")
