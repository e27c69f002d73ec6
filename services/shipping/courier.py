"""The port to whoever carries the goods, and the simulation that stands behind it here."""

import hashlib
from collections.abc import Sequence
from typing import Protocol

from services.common.json_models import GoodsLine


class Courier(Protocol):
    """A courier.

    Both operations are idempotent by the shipment id, and raise TransientError when out of reach.
    """

    def book(self, shipment_id: str, items: Sequence[GoodsLine]) -> str:
        """Book a shipment's pick-up once and return the courier's reference; asked again, the same one."""

    def cancel(self, shipment_id: str) -> None:
        """Cancel the shipment's booking, if there is one, and let none be made any more.

        By our id and not by the courier's reference: it undoes a booking whose reference nobody lived to
        record.
        """


class SimulatedCourier:
    """A SIMULATION of a courier: nobody picks anything up and nothing is remembered.

    References are derived from the shipment id, so that the same shipment gets the same one.
    """

    def book(self, shipment_id: str, items: Sequence[GoodsLine]) -> str:
        """Return the reference that a booking would have."""
        return f"CR-{hashlib.sha256(shipment_id.encode()).hexdigest()[:10]}"

    def cancel(self, shipment_id: str) -> None:
        """Do nothing: nothing was booked."""
