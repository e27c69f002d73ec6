"""The statuses, the reasons, and the one table of legal moves."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

K = TypeVar("K", bound=StrEnum)


class OrderStatus(StrEnum):
    """Where an order is."""

    PENDING = "pending"
    CUSTOMER_ACTION_REQUIRED = "customerActionRequired"
    APPROVAL_REQUIRED = "approvalRequired"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timedOut"


class FulfillmentStatus(StrEnum):
    """Where the part of an order that one warehouse sends is."""

    PENDING = "pending"
    UNAVAILABLE = "unavailable"
    PROCESSING = "processing"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


class PaymentStatus(StrEnum):
    """Where the payment of a fulfillment is."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILED = "failed"
    REFUNDED = "refunded"


class ShipmentStatus(StrEnum):
    """Where the goods of a fulfillment are."""

    PENDING = "pending"
    BOOKED = "booked"
    DISPATCHED = "dispatched"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class Reason(StrEnum):
    """Why an order or a fulfillment ended other than well; stable, for programs."""

    CUSTOMER_CANCELLED = "customerCancelled"
    CUSTOMER_TIMED_OUT = "customerTimedOut"
    NOT_AVAILABLE = "notAvailable"
    APPROVAL_REJECTED = "approvalRejected"
    APPROVAL_EXPIRED = "approvalExpired"
    PAYMENT_DECLINED = "paymentDeclined"
    BILLING_UNAVAILABLE = "billingUnavailable"
    SHIPPING_UNAVAILABLE = "shippingUnavailable"


class IllegalMoveError(Exception):
    """The state machine has no such move; nothing was changed."""

    def __init__(self, before: StrEnum, after: StrEnum) -> None:
        super().__init__(f"{before.value} cannot become {after.value}")


def _table(moves: Mapping[K, Collection[K]]) -> Mapping[K, frozenset[K]]:
    return MappingProxyType({before: frozenset(after) for before, after in moves.items()})


_O, _F, _P, _S = OrderStatus, FulfillmentStatus, PaymentStatus, ShipmentStatus

# One table for each machine: members of different enumerations share words ("pending") and would clash as keys.
MOVES: Mapping[type[StrEnum], Mapping[Any, frozenset[Any]]] = MappingProxyType(
    {
        OrderStatus: _table(
            {
                _O.PENDING: {_O.CUSTOMER_ACTION_REQUIRED, _O.APPROVAL_REQUIRED, _O.PROCESSING, _O.CANCELLED},
                _O.CUSTOMER_ACTION_REQUIRED: {_O.APPROVAL_REQUIRED, _O.PROCESSING, _O.CANCELLED, _O.TIMED_OUT},
                _O.APPROVAL_REQUIRED: {_O.PROCESSING, _O.CANCELLED},
                _O.PROCESSING: {_O.COMPLETED, _O.FAILED, _O.CANCELLED},
                _O.COMPLETED: (),
                _O.FAILED: (),
                _O.CANCELLED: (),
                _O.TIMED_OUT: (),
            }
        ),
        FulfillmentStatus: _table(
            {
                _F.PENDING: {_F.PROCESSING, _F.CANCELLED},
                _F.UNAVAILABLE: {_F.CANCELLED},
                _F.PROCESSING: {_F.COMPLETED, _F.CANCELLED, _F.FAILED},
                _F.COMPLETED: (),
                _F.CANCELLED: (),
                _F.FAILED: (),
            }
        ),
        PaymentStatus: _table(
            {
                _P.PENDING: {_P.SUCCESS, _P.FAILED},
                _P.SUCCESS: {_P.REFUNDED},
                _P.FAILED: (),
                _P.REFUNDED: (),
            }
        ),
        ShipmentStatus: _table(
            {
                _S.PENDING: {_S.BOOKED, _S.CANCELLED},
                _S.BOOKED: {_S.DISPATCHED, _S.CANCELLED},
                _S.DISPATCHED: {_S.DELIVERED},
                _S.DELIVERED: (),
                _S.CANCELLED: (),
            }
        ),
    }
)
"""For each machine, each status with those that may follow it; a status that nothing follows is final."""


def is_final(status: StrEnum) -> bool:
    """Tell whether nothing follows the status."""
    return not MOVES[type(status)][status]


def check_move(before: K, after: K) -> None:
    """Raise IllegalMoveError unless the table has the move."""
    if after not in MOVES[type(before)][before]:
        raise IllegalMoveError(before, after)
