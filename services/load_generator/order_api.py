"""The calls of the order API that a run makes."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from services.common.json_models import Json


class OrderApi(Protocol):
    """The part of the console's client that a run needs; every method raises TransientError and RefusedError."""

    def place(self, order_id: str, customer_id: str, lines: Mapping[str, int]) -> Json:
        """Place an order; a repeated call is the same order."""

    def order(self, order_id: str) -> Json:
        """Return an order."""

    def orders_by_id(self, ids: Sequence[str]) -> list[Json]:
        """Return the lines of the orders that exist."""

    def act(self, order_id: str, action: str) -> Json:
        """Send the customer's action."""

    def approve(self, order_id: str, approver: str, approved: bool) -> Json:
        """Send the approver's decision."""

    def report(self, shipment_id: str, status: str) -> Json:
        """Send the courier's report."""
