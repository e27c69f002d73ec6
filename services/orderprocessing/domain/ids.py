"""Every id and event name of the workflows, made in one place."""

import secrets
from datetime import datetime

WAKE_UP = "signal"
"""The one event of all workflows: "look at the order's record, it has news for you". It carries nothing, so it may
come early, twice, out of order or late."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_order_id(now: datetime) -> str:
    """Make an id for an order that came without one: sortable by time, unguessable, 19 characters."""
    millis = int(now.timestamp() * 1000)
    digits = "".join(_ALPHABET[(millis >> shift) & 31] for shift in range(40, -1, -5))
    return f"o{digits}" + "".join(secrets.choice(_ALPHABET) for _ in range(9))


def order_workflow_id(order_id: str) -> str:
    """Return the instance id of the order workflow."""
    return f"order-{order_id}"


def charge_workflow_id(fulfillment_id: str) -> str:
    """Return the instance id of a fulfillment's charge workflow; the engine allows no colon in one."""
    return f"charge-{fulfillment_id.replace(':', '-')}"


def shipment_workflow_id(fulfillment_id: str) -> str:
    """Return the instance id of a fulfillment's shipment workflow."""
    return f"shipment-{fulfillment_id.replace(':', '-')}"


def charge_key(fulfillment_id: str) -> str:
    """Return the idempotency key of a fulfillment's one charge, for billing and for fraud."""
    return f"charge-{fulfillment_id}"


def event_id(order_id: str, seq: int) -> str:
    """Return the id of the event that tells step `seq` of an order."""
    return f"{order_id}/{seq}"
