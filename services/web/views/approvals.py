"""The facts that an approver decides by. Pure."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator

from services.common.json_models import Json, Name, Request
from services.common.states import FulfillmentStatus, OrderStatus


@dataclass(frozen=True)
class Goods:
    """A line of an order; a dropped one is out of stock and will not be sent."""

    sku: str
    quantity: int
    dropped: bool = False


@dataclass(frozen=True)
class ApprovalCase:
    """An order for an approver; `open` until it is decided."""

    open: bool
    deadline: str | None
    goods: list[Goods]


def _require_name(name: str) -> str:
    if not name:
        raise ValueError("enter your name at the top of the page first")
    return name


class Decision(Request):
    """An approver's decision about an order."""

    approver: Annotated[Name, BeforeValidator(_require_name)]
    decision: Literal["approve", "reject"]


def approval_case(order: Json) -> ApprovalCase:
    """Return the facts about an order that its approver needs."""
    fulfillments = order["fulfillments"] or [{"status": "pending", "items": order["items"]}]
    goods = [
        Goods(line["sku"], line["quantity"], fulfillment["status"] == FulfillmentStatus.CANCELLED)
        for fulfillment in fulfillments
        for line in fulfillment["items"]
    ]
    return ApprovalCase(open=order["status"] == OrderStatus.APPROVAL_REQUIRED, deadline=order["deadline"], goods=goods)
