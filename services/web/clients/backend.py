"""The other services as the console uses them: every call by Dapr service invocation, each answer as it came."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol
from urllib.parse import quote, urlencode

from services.common.dapr.sidecar import TransientError
from services.common.ids import ORDER_ID_PATTERN, is_path_segment
from services.common.json_models import Json
from services.common.web.problems import not_found

Page = tuple[list[Json], str | None]
"""Items, and the cursor of the next page where there is one."""

_SEARCH_FOR = 2.0
"""Seconds: a filter searches a bounded part of the list at a time, so that a search may take many calls."""


class Caller(Protocol):
    """The part of the sidecar that is needed here."""

    def invoke(
        self, service: str, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Json:
        """Call another service. Raises TransientError and RefusedError."""

    def page(self, service: str, path: str) -> Page:
        """Return a page of another service's list; raises as `invoke`."""


class _Naming:
    """A caller whose errors say which service it was that did not answer."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def invoke(
        self, service: str, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Json:
        with _named(service):
            return self._caller.invoke(service, method, path, body, headers)

    def page(self, service: str, path: str) -> Page:
        with _named(service):
            return self._caller.page(service, path)


@contextmanager
def _named(service: str) -> Iterator[None]:
    try:
        yield
    except TransientError as error:
        error.service = service
        raise


class Backend:
    """What the console asks of the other services; every method raises TransientError and RefusedError."""

    def __init__(self, caller: Caller) -> None:
        self._caller = _Naming(caller)

    def place(self, order_id: str, customer_id: str, lines: Mapping[str, int], total: int | None = None) -> Json:
        """Send an order in, refused where its goods do not cost `total`, in cents; the same again is the same order."""
        items = [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()]
        body: Json = {"id": order_id, "customerId": customer_id, "items": items}
        # A float is written with the fewest digits that are it, so to the cent far beyond any order's worth.
        expected = {} if total is None else {"total": total / 100}
        return self._post("orderprocessing", "orders", body | expected)

    def order(self, order_id: str) -> Json:
        """Return an order."""
        return self._get("orderprocessing", f"orders/{_order(order_id)}")

    def timeline(self, order_id: str) -> list[Json]:
        """Return an order's steps, oldest first."""
        return self._list("orderprocessing", f"orders/{_order(order_id)}/timeline")

    def history(self, order_id: str) -> list[Json]:
        """Return what the engine knows of the workflow instances that an order is made of."""
        return self._list("orderprocessing", f"orders/{_order(order_id)}/history")

    def orders(self, limit: int, cursor: str | None = None, **filters: str) -> Page:
        """Return order lines, newest first, by `customerId` or `status`; searches for at most two seconds."""
        found: list[Json] = []
        ends = time.monotonic() + _SEARCH_FOR
        while True:
            query = _query(limit=str(limit - len(found)), cursor=cursor, **filters)
            items, cursor = self._caller.page("orderprocessing", f"orders?{query}")
            found += items
            if cursor is None or len(found) >= limit or time.monotonic() > ends:
                return found, cursor

    def orders_by_id(self, ids: Sequence[str]) -> list[Json]:
        """Return the lines of those of the orders that exist; at most 1,000."""
        return self._list("orderprocessing", f"orders?{_query(ids=','.join(ids))}") if ids else []

    def act(self, order_id: str, action: str) -> Json:
        """Send the customer's decision: amend or cancel."""
        return self._post("orderprocessing", f"orders/{_order(order_id)}/action", {"action": action})

    def approve(self, order_id: str, approver: str, approved: bool) -> Json:
        """Send the approver's decision."""
        body = {"approver": approver, "approved": approved}
        return self._post("orderprocessing", f"orders/{_order(order_id)}/approve", body)

    def pending_shipments(self, limit: int, cursor: str | None = None) -> Page:
        """Return lines of shipments that are neither delivered nor cancelled, newest first."""
        return self._caller.page("orderprocessing", f"shipments/pending?{_query(limit=str(limit), cursor=cursor)}")

    def report(self, shipment_id: str, status: str) -> Json:
        """Send the courier's report: dispatched or delivered."""
        return self._post("orderprocessing", f"shipments/{_part(shipment_id)}/status", {"status": status})

    def figures(self, of: str = "orders") -> Json:
        """Return `workerCount`, `backlog` and, of orders, `completeRate`; `of` is orders, charge or shipments."""
        return self._get("orderprocessing", f"{of}/stats")

    def items(self) -> list[Json]:
        """Return the catalogue with its stock."""
        return self._list("inventory", "inventory")

    def reprice(self, sku: str, item: Json) -> Json:
        """Create or change an item: `unitPrice` in cents, `name` and `brand` where given."""
        return self._caller.invoke("inventory", "PUT", f"inventory/{_part(sku)}", item)

    def restock(self, sku: str, warehouse: str, quantity: int, key: str) -> Json:
        """Put goods on a shelf, once for the idempotency key."""
        path, body = f"inventory/{_part(sku)}/restock", {"warehouse": warehouse, "quantity": quantity}
        return self._caller.invoke("inventory", "POST", path, body, {"Idempotency-Key": key})

    def ledger(self, order_id: str) -> Json:
        """Return what was charged and refunded for an order."""
        return self._get("billing", f"ledger?{_query(orderId=order_id)}")

    def fraud_settings(self) -> Json:
        """Return `limit`, in cents, 0 for none, and `maintenanceMode`."""
        return self._get("fraud", "settings")

    def set_fraud_limit(self, limit: int) -> Json:
        """Set the spending limit in cents."""
        return self._post("fraud", "limit", {"limit": limit})

    def set_fraud_maintenance(self, enabled: bool) -> Json:
        """Switch fraud's maintenance on or off."""
        return self._post("fraud", "maintenance", {"enabled": enabled})

    def reset_fraud(self) -> Json:
        """Clear tallies, limit and maintenance."""
        return self._post("fraud", "reset", {})

    def shipping_settings(self) -> Json:
        """Return whether bookings are `active`."""
        return self._get("shipping", "shipping/settings")

    def set_shipping(self, active: bool) -> Json:
        """Allow bookings or stop them."""
        return self._post("shipping", "shipping/activate" if active else "shipping/deactivate", {})

    def events(self, order_id: str) -> list[Json]:
        """Return an order's events as the feed has them, newest first."""
        return self._list("notifications", f"events?{_query(orderId=order_id, limit='1000')}")

    def chaos(self, service: str) -> Json:
        """Return how much chaos there is in a service; refused with 404 where chaos is not enabled."""
        return self._get(service, "chaos")

    def set_chaos(self, service: str, settings: Json) -> Json:
        """Set `failures` and `lostWrites`, shares from 0 to 1, and `crashesPerMinute` in a service."""
        return self._caller.invoke(service, "PUT", "chaos", settings)

    def crash(self, service: str) -> Json:
        """Have a process of the service die, as by a crash; refused with 404 where chaos is not enabled."""
        return self._post(service, "chaos/crash", {})

    def _get(self, service: str, path: str) -> Json:
        return self._caller.invoke(service, "GET", path)

    def _list(self, service: str, path: str) -> list[Json]:
        return self._caller.page(service, path)[0]

    def _post(self, service: str, path: str, body: Json) -> Json:
        return self._caller.invoke(service, "POST", path, body)


def _query(**parameters: str | None) -> str:
    return urlencode({name: value for name, value in parameters.items() if value is not None})


def _order(order_id: str) -> str:
    """Return an order's id as a part of a path. Raises the problem 404 for what no order can be read by."""
    # By the path of this one orderprocessing gives its figures.
    if order_id == "stats" or re.fullmatch(ORDER_ID_PATTERN, order_id) is None:
        raise not_found("order", order_id)
    return order_id


def _part(text: str) -> str:
    """Return a text as one part of a path. Raises the problem 404 for what cannot be one."""
    if not is_path_segment(text):
        raise not_found("thing", text)
    return quote(text, safe="")
