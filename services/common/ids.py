"""The formats of the ids that services exchange. A shipment has the id of its fulfillment."""

import re
from typing import Annotated

from pydantic import Field

ORDER_ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}"
FULFILLMENT_ID_PATTERN = ORDER_ID_PATTERN + r":[1-9][0-9]{0,3}"

_NOT_IN_PATHS = set("/?#%")

OrderId = Annotated[str, Field(pattern=f"^{ORDER_ID_PATTERN}$")]
"""An order's id: safe in a URL, a state key and a workflow instance id."""

FulfillmentId = Annotated[str, Field(pattern=f"^{FULFILLMENT_ID_PATTERN}$")]
"""A fulfillment's id, `{orderId}:{n}`, n from 1 to 9,999."""


def is_path_segment(text: str) -> bool:
    """Return whether a text can be a segment of a path that is called through Dapr.

    A segment of dots navigates, and Dapr 1.18 rejects some characters in a path even when they are escaped.
    """
    return bool(text.strip(".")) and not _NOT_IN_PATHS & set(text)


def fulfillment_id(order_id: str, number: int) -> str:
    """Return the id of an order's fulfillment, numbered from 1."""
    return f"{order_id}:{number}"


def is_fulfillment_id(text: str) -> bool:
    """Return whether the text has the format of a fulfillment id."""
    return re.fullmatch(FULFILLMENT_ID_PATTERN, text) is not None


def split_fulfillment_id(text: str) -> tuple[str, int]:
    """Return the order id and the number in a fulfillment id. Raises ValueError for other text."""
    if not is_fulfillment_id(text):
        raise ValueError("is not a fulfillment id")
    order_id, _, number = text.partition(":")
    return order_id, int(number)


def check_owner(order_id: str, fulfillment: str | None) -> str:
    """Return `order_id` if the fulfillment is None or belongs to that order; for validators.

    Raises ValueError.
    """
    if fulfillment is not None and split_fulfillment_id(fulfillment)[0] != order_id:
        raise ValueError("must be the order that the fulfillment belongs to")
    return order_id
