"""The shapes of the ids that services exchange; a shipment has the id of its fulfillment."""

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
    """Tell whether a text may be one part of a path that is called through Dapr.

    Dots alone lead elsewhere, and Dapr 1.18 lets nobody have some signs in a path, however they are written.
    """
    return bool(text.strip(".")) and not _NOT_IN_PATHS & set(text)


def fulfillment_id(order_id: str, number: int) -> str:
    """Return the id of an order's fulfillment, numbered from 1."""
    return f"{order_id}:{number}"


def is_fulfillment_id(text: str) -> bool:
    """Tell whether the text has the shape of a fulfillment id."""
    return re.fullmatch(FULFILLMENT_ID_PATTERN, text) is not None


def split_fulfillment_id(text: str) -> tuple[str, int]:
    """Return a fulfillment id's order id and number. Raises ValueError for other text."""
    if not is_fulfillment_id(text):
        raise ValueError("is not a fulfillment id")
    order_id, _, number = text.partition(":")
    return order_id, int(number)


def check_owner(order_id: str, fulfillment: str | None) -> str:
    """Return `order_id` if it is the order of the fulfillment, or if that is None; for use in a validator.

    Raises ValueError.
    """
    if fulfillment is not None and split_fulfillment_id(fulfillment)[0] != order_id:
        raise ValueError("must be the order that the fulfillment belongs to")
    return order_id
