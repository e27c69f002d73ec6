"""The statuses and their legal transitions, as the domain uses them; the console takes them from the same place."""

from services.common.states import (
    MOVES,
    FulfillmentStatus,
    IllegalMoveError,
    OrderStatus,
    PaymentStatus,
    Reason,
    ShipmentStatus,
    check_move,
    is_final,
)

__all__ = [
    "MOVES",
    "FulfillmentStatus",
    "IllegalMoveError",
    "OrderStatus",
    "PaymentStatus",
    "Reason",
    "ShipmentStatus",
    "check_move",
    "is_final",
]
