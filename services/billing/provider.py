"""The port to whoever moves the money, and the simulation that stands behind it here."""

import hashlib
from typing import Literal, Protocol

from services.billing.models import ChargeOutcome

CARD_LIMIT = 100_000_00
"""The most that the simulated network takes in one charge, in minor units."""


class PaymentProvider(Protocol):
    """A payment provider.

    Every operation is idempotent by its key, and raises TransientError when out of reach.
    """

    def charge(self, key: str, amount: int, currency: str) -> ChargeOutcome:
        """Charge `amount` minor units once for `key`; asked again, give the first outcome."""

    def refund(self, reference: str, amount: int, key: str) -> str:
        """Give an accepted charge's `amount` back once for `key`; return the reference of the refund."""

    def void(self, key: str) -> None:
        """Give back what was charged for `key`, if anything was, and let nothing be charged for it any more.

        Unlike a refund this needs no reference: it undoes a charge whose outcome nobody lived to record.
        """


class SimulatedCardNetwork:
    """A SIMULATION of a card network: no money moves and nothing is remembered.

    References are derived from the key, so that the same key gets the same answer, as from a real network.
    It declines charges above CARD_LIMIT with the reason `cardDeclined`.
    """

    def charge(self, key: str, amount: int, currency: str) -> ChargeOutcome:
        """Accept any amount up to the card limit."""
        accepted = amount <= CARD_LIMIT
        return ChargeOutcome(accepted, _reference("CH", key), None if accepted else "cardDeclined")

    def refund(self, reference: str, amount: int, key: str) -> str:
        """Return the reference that a refund would have."""
        return _reference("RF", key)

    def void(self, key: str) -> None:
        """Do nothing: nothing was charged."""


def make_provider(name: Literal["simulated"]) -> PaymentProvider:
    """Return the payment provider of that name in the configuration."""
    return {"simulated": SimulatedCardNetwork}[name]()


def _reference(prefix: str, key: str) -> str:
    return f"{prefix}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
