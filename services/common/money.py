"""Money: integer minor units (cents) everywhere; major units only in input from people and clients."""

from decimal import Decimal

CURRENCY = "USD"
_MINOR_PER_MAJOR = 100
_CENT = Decimal("0.01")


def minor_units(amount: Decimal) -> int:
    """Convert major units to minor units. Raises ValueError for fractions of a cent and for non-numbers."""
    if not amount.is_finite() or abs(amount) >= Decimal(10) ** 15:
        raise ValueError("not an amount of money")
    rounded = amount.quantize(_CENT)
    # Compared before multiplication, which would round to 28 digits first.
    if rounded != amount:
        raise ValueError("an amount has at most two decimals")
    return int(rounded * _MINOR_PER_MAJOR)


def percent_half_up(amount: int, percent: int) -> int:
    """Return `percent` of a non-negative amount in minor units, rounded half up."""
    return (amount * percent + 50) // 100
