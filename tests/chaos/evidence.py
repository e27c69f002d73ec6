"""The final state of an order in all services, read through their APIs."""

from dataclasses import dataclass
from typing import Any

from tests.chaos.orders import TrackedOrder
from tests.chaos.retrying_calls import call_until_answered
from tests.e2e.client import Json, Shop


@dataclass(frozen=True)
class Evidence:
    """The records of one order in all services. `order` is None when it does not exist, as is a missing booking."""

    tracked: TrackedOrder
    order: Json | None
    timeline: list[Json]
    feed: list[Json]
    ledger: Json
    bookings: dict[str, Json | None]
    invoices: dict[str, Json | None]

    @property
    def parts(self) -> list[Json]:
        """Return the order's fulfillments with items."""
        return [one for one in (self.order or {}).get("fulfillments") or [] if one["location"]]


def gather(shop: Shop, tracked: TrackedOrder) -> Evidence:
    """Read the records of an order from all services."""

    def found(service: str, path: str, **query: str) -> Any:
        answer = call_until_answered(shop, service, "GET", path, params=query)
        assert answer.status in {200, 404}, f"GET {service} {path}: {answer.status} {answer.body}"
        return answer.body if answer.status == 200 else None

    order_id = tracked.id
    order = found("orderprocessing", f"/orders/{order_id}")
    parts = [one["id"] for one in (order or {}).get("fulfillments") or [] if one["location"]]
    return Evidence(
        tracked=tracked,
        order=order,
        timeline=found("orderprocessing", f"/orders/{order_id}/timeline") or [],
        feed=found("notifications", "/events", orderId=order_id, limit="1000") or [],
        ledger=found("billing", "/ledger", orderId=order_id) or {},
        bookings={one: found("shipping", f"/bookings/{one}") for one in parts},
        invoices={one: found("billing", f"/invoices/{one}") for one in parts},
    )
