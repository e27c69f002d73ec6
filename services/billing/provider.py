"""The payment provider: a port, and a simulation as its only adapter."""

import hashlib
from typing import Literal, Protocol

from services.billing.models import ChargeOutcome

CARD_LIMIT = 100_000_00
"""The maximum amount of a charge in the simulated network, in minor units."""


class PaymentProvider(Protocol):
    """A payment provider.

    Every operation is idempotent by its key and raises TransientError if the provider is unreachable.
    """

    def charge(self, key: str, amount: int, currency: str) -> ChargeOutcome:
        """Charge `amount` minor units once for `key`; a repeated call returns the first outcome."""

    def refund(self, reference: str, amount: int, key: str) -> str:
        """Refund the `amount` of an accepted charge once for `key`; return the reference of the refund."""

    def void(self, key: str) -> None:
        """Refund the charge of `key`, if there is one, and reject later charges with this key.

        Unlike a refund this needs no reference: it undoes a charge whose outcome a crash kept from being recorded.
        """


class SimulatedCardNetwork:
    """A SIMULATION of a card network: no money moves and nothing is stored.

    References are derived from the key, so that the same key gets the same response, as from a real network. It
    declines charges above CARD_LIMIT with the reason `cardDeclined`.
    """

    def charge(self, key: str, amount: int, currency: str) -> ChargeOutcome:
        """Accept any amount up to the card limit."""
        accepted = amount <= CARD_LIMIT
        return ChargeOutcome(accepted, _reference("CH", key), None if accepted else "cardDeclined")

    def refund(self, reference: str, amount: int, key: str) -> str:
        """Return the reference of a refund."""
        return _reference("RF", key)

    def void(self, key: str) -> None:
        """Do nothing, because nothing was charged."""


def make_provider(name: Literal["simulated"]) -> PaymentProvider:
    """Return the payment provider with this name."""
    return {"simulated": SimulatedCardNetwork}[name]()


def _reference(prefix: str, key: str) -> str:
    return f"{prefix}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
