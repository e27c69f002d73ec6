"""All ids and event names of the workflows."""

import secrets
from datetime import datetime

WAKE_UP = "wake-up"
"""The wake-up signal, the only event that workflows wait for: the order's record has changed. It has no content, so it
may arrive early, late, twice or out of order. An event that arrives under another name becomes a wake-up signal with
content: a decision, which an activity applies."""

APPROVAL_EVENT, ACTION_EVENT, STATUS_EVENT = "approval", "action", "status"
"""The events of `dapr workflow raise-event`, each with the request body of the API's decision as its payload."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_order_id(now: datetime) -> str:
    """Create an id for an order without one: sortable by time, unguessable, 19 characters."""
    millis = int(now.timestamp() * 1000)
    digits = "".join(_ALPHABET[(millis >> shift) & 31] for shift in range(40, -1, -5))
    return f"o{digits}" + "".join(secrets.choice(_ALPHABET) for _ in range(9))


def order_workflow_id(order_id: str) -> str:
    """Return the instance id of the order workflow."""
    return f"order-{order_id}"


def charge_workflow_id(fulfillment_id: str) -> str:
    """Return the instance id of a fulfillment's charge workflow, which may contain no colon."""
    return f"charge-{fulfillment_id.replace(':', '-')}"


def shipment_workflow_id(fulfillment_id: str) -> str:
    """Return the instance id of a fulfillment's shipment workflow."""
    return f"shipment-{fulfillment_id.replace(':', '-')}"


def charge_key(fulfillment_id: str) -> str:
    """Return the idempotency key of a fulfillment's charge, for billing and for fraud."""
    return f"charge-{fulfillment_id}"


def event_id(order_id: str, seq: int) -> str:
    """Return the id of the event of step `seq` of an order."""
    return f"{order_id}/{seq}"
