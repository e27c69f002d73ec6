"""The courier: a port, and a simulation as its only adapter."""

import hashlib
from collections.abc import Sequence
from typing import Protocol

from services.common.json_models import GoodsLine


class Courier(Protocol):
    """A courier.

    Both operations are idempotent by the shipment id and raise TransientError if the courier is unreachable.
    """

    def book(self, shipment_id: str, items: Sequence[GoodsLine]) -> str:
        """Book the pick-up of a shipment once; return the courier's reference, the same for a repeated call."""

    def cancel(self, shipment_id: str) -> None:
        """Cancel the shipment's booking, if there is one, and reject later bookings.

        It takes our id and not the courier's reference, because it also undoes a booking whose reference a crash kept
        from being recorded.
        """


class SimulatedCourier:
    """A SIMULATION of a courier: nothing is picked up and nothing is stored.

    References are derived from the shipment id, so that the same shipment gets the same one.
    """

    def book(self, shipment_id: str, items: Sequence[GoodsLine]) -> str:
        """Return the reference of a booking."""
        return f"CR-{hashlib.sha256(shipment_id.encode()).hexdigest()[:10]}"

    def cancel(self, shipment_id: str) -> None:
        """Do nothing, because nothing was booked."""
