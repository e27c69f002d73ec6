"""The query parameters of the order lists."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from services.common.states import OrderStatus
from services.common.web.paging import PageQuery

_MAX_IDS = 1000


def _status(text: Any) -> OrderStatus:
    try:
        return OrderStatus(text)
    except ValueError as error:
        raise ValueError(f"must be one of {', '.join(OrderStatus)}") from error


def _check_ids(text: str) -> str:
    if len(_split(text)) > _MAX_IDS:
        raise ValueError(f"at most {_MAX_IDS} at once")
    return text


def _split(text: str) -> list[str]:
    return [order_id for order_id in text.split(",") if order_id]


class OrdersQuery(PageQuery):
    """The query of `GET /orders`."""

    status: Annotated[OrderStatus, BeforeValidator(_status)] | None = Field(
        default=None, description="only orders in this status"
    )
    customer_id: str | None = Field(default=None, description="only orders of this customer")
    ids: Annotated[str, AfterValidator(_check_ids)] | None = Field(
        default=None, description="just these orders, ids with commas between them, at most 1,000"
    )

    @property
    def order_ids(self) -> list[str]:
        """The ids that the query lists."""
        return _split(self.ids or "")
