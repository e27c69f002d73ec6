"""The calls of the other services that the console makes, by Dapr service invocation."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import quote, urlencode

from services.common.ids import ORDER_ID_PATTERN, is_path_segment
from services.common.json_models import Json
from services.common.web.problems import not_found

Page = tuple[list[Json], str | None]
"""Items, and the cursor of the next page where there is one."""

_SEARCH_TIMEOUT = 2.0
"""Seconds; each call searches a bounded part of the list, so a filtered search may take many calls."""


class Caller(Protocol):
    """The part of the sidecar that the console needs."""

    def invoke(
        self, service: str, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Json:
        """Call another service. Raises TransientError and RefusedError."""

    def page(self, service: str, path: str) -> Page:
        """Return a page of another service's list; raises the same errors as `invoke`."""


class Backend:
    """Calls the other services; every method raises TransientError and RefusedError."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def place(self, order_id: str, customer_id: str, lines: Mapping[str, int], total: int | None = None) -> Json:
        """Place an order; it is refused unless its goods cost `total`, in cents. A repeated call is the same order."""
        items = [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()]
        body: Json = {"id": order_id, "customerId": customer_id, "items": items}
        # A float is serialized with the fewest digits that identify it, so it is exact to the cent for any order.
        expected = {} if total is None else {"total": total / 100}
        return self._post("orderprocessing", "orders", body | expected)

    def order(self, order_id: str) -> Json:
        """Return an order."""
        return self._get("orderprocessing", f"orders/{_order_segment(order_id)}")

    def timeline(self, order_id: str) -> list[Json]:
        """Return an order's steps, oldest first."""
        return self._list("orderprocessing", f"orders/{_order_segment(order_id)}/timeline")

    def history(self, order_id: str) -> list[Json]:
        """Return the histories of the workflow instances of an order."""
        return self._list("orderprocessing", f"orders/{_order_segment(order_id)}/history")

    def orders(self, limit: int, cursor: str | None = None, **filters: str) -> Page:
        """Return order lines, newest first, by `customerId` or `status`; searches for at most two seconds."""
        lines: list[Json] = []
        ends = time.monotonic() + _SEARCH_TIMEOUT
        while True:
            query = _query(limit=str(limit - len(lines)), cursor=cursor, **filters)
            items, cursor = self._caller.page("orderprocessing", f"orders?{query}")
            lines += items
            if cursor is None or len(lines) >= limit or time.monotonic() > ends:
                return lines, cursor

    def orders_by_id(self, ids: Sequence[str]) -> list[Json]:
        """Return the lines of the orders that exist, of at most 1,000 ids."""
        return self._list("orderprocessing", f"orders?{_query(ids=','.join(ids))}") if ids else []

    def act(self, order_id: str, action: str) -> Json:
        """Send the customer's action: amend or cancel."""
        return self._post("orderprocessing", f"orders/{_order_segment(order_id)}/action", {"action": action})

    def approve(self, order_id: str, approver: str, approved: bool) -> Json:
        """Send the approver's decision."""
        body = {"approver": approver, "approved": approved}
        return self._post("orderprocessing", f"orders/{_order_segment(order_id)}/approve", body)

    def pending_shipments(self, limit: int, cursor: str | None = None) -> Page:
        """Return lines of shipments that are neither delivered nor cancelled, newest first."""
        return self._caller.page("orderprocessing", f"shipments/pending?{_query(limit=str(limit), cursor=cursor)}")

    def report(self, shipment_id: str, status: str) -> Json:
        """Send the courier's report: dispatched or delivered."""
        return self._post("orderprocessing", f"shipments/{_segment(shipment_id)}/status", {"status": status})

    def stats(self, kind: str) -> Json:
        """Return `workerCount`, `backlog` and, for orders, `completeRate`; `kind` is orders, charge or shipments."""
        return self._get("orderprocessing", f"{kind}/stats")

    def workers(self) -> list[Json]:
        """Return the workers that live, then those that were lost in the last minutes."""
        return self._list("orderprocessing", "workers")

    def items(self) -> list[Json]:
        """Return the catalogue with its stock."""
        return self._list("inventory", "inventory")

    def reprice(self, sku: str, item: Json) -> Json:
        """Create or update an item: `unitPrice` in cents, optionally `name` and `brand`."""
        return self._caller.invoke("inventory", "PUT", f"inventory/{_segment(sku)}", item)

    def restock(self, sku: str, warehouse: str, quantity: int, key: str) -> Json:
        """Add stock to a warehouse, once for each idempotency key."""
        path, body = f"inventory/{_segment(sku)}/restock", {"warehouse": warehouse, "quantity": quantity}
        return self._caller.invoke("inventory", "POST", path, body, {"Idempotency-Key": key})

    def ledger(self, order_id: str) -> Json:
        """Return the charges and refunds of an order."""
        return self._get("billing", f"ledger?{_query(orderId=order_id)}")

    def fraud_settings(self) -> Json:
        """Return `limit`, in cents (0 for none), and `maintenanceMode`."""
        return self._get("fraud", "settings")

    def set_fraud_limit(self, limit: int) -> Json:
        """Set the spending limit in cents."""
        return self._post("fraud", "limit", {"limit": limit})

    def set_fraud_maintenance(self, enabled: bool) -> Json:
        """Turn the maintenance mode of the fraud check on or off."""
        return self._post("fraud", "maintenance", {"enabled": enabled})

    def reset_fraud(self) -> Json:
        """Reset the customers' totals, the limit and the maintenance mode."""
        return self._post("fraud", "reset", {})

    def shipping_settings(self) -> Json:
        """Return whether bookings are `active`."""
        return self._get("shipping", "shipping/settings")

    def set_shipping(self, active: bool) -> Json:
        """Turn bookings on or off."""
        return self._post("shipping", "shipping/activate" if active else "shipping/deactivate", {})

    def events(self, order_id: str) -> list[Json]:
        """Return an order's events from the feed, newest first."""
        return self._list("notifications", f"events?{_query(orderId=order_id, limit='1000')}")

    def chaos(self, service: str) -> Json:
        """Return the fault injection settings of a service; refused with 404 if chaos is not enabled."""
        return self._get(service, "chaos")

    def set_chaos(self, service: str, settings: Json) -> Json:
        """Set `failures` and `lostWrites`, shares from 0 to 1, and `crashesPerMinute` of a service."""
        return self._caller.invoke(service, "PUT", "chaos", settings)

    def crash(self, service: str) -> Json:
        """Crash a process of the service; refused with 404 if chaos is not enabled."""
        return self._post(service, "chaos/crash", {})

    def _get(self, service: str, path: str) -> Json:
        return self._caller.invoke(service, "GET", path)

    def _list(self, service: str, path: str) -> list[Json]:
        return self._caller.page(service, path)[0]

    def _post(self, service: str, path: str, body: Json) -> Json:
        return self._caller.invoke(service, "POST", path, body)


def _query(**parameters: str | None) -> str:
    return urlencode({name: value for name, value in parameters.items() if value is not None})


def _order_segment(order_id: str) -> str:
    """Return an order id as a path segment. Raises the problem 404 for an invalid id."""
    # orders/stats is another resource.
    if order_id == "stats" or re.fullmatch(ORDER_ID_PATTERN, order_id) is None:
        raise not_found("order", order_id)
    return order_id


def _segment(text: str) -> str:
    """Return a text as one path segment. Raises the problem 404 for a text that cannot be one."""
    if not is_path_segment(text):
        raise not_found("resource", text)
    return quote(text, safe="")
