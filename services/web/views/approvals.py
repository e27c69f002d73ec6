"""What an approver decides about; pure."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator

from services.common.json_models import Json, Name, Request


@dataclass(frozen=True)
class Goods:
    """A line of an order; what is not in stock any more will not be sent."""

    sku: str
    quantity: int
    dropped: bool = False


@dataclass(frozen=True)
class Case:
    """An order as an approver looks at it, until its deadline; one that `waits` no more is decided."""

    waits: bool
    deadline: str | None
    goods: list[Goods]


def _known(name: str) -> str:
    if not name:
        raise ValueError("say your name first, at the top of the page")
    return name


class Decision(Request):
    """What somebody decides about an order."""

    approver: Annotated[Name, BeforeValidator(_known)]
    decision: Literal["approve", "reject"]


def case_of(order: Json) -> Case:
    """Return what is to be decided about an order."""
    parts = order["fulfillments"] or [{"status": "pending", "items": order["items"]}]
    goods = [
        Goods(line["sku"], line["quantity"], part["status"] == "cancelled") for part in parts for line in part["items"]
    ]
    return Case(waits=order["status"] == "approvalRequired", deadline=order["deadline"], goods=goods)
