"""Statuses, reasons, and the table of legal transitions."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

K = TypeVar("K", bound=StrEnum)


class OrderStatus(StrEnum):
    """The status of an order."""

    PENDING = "pending"
    CUSTOMER_ACTION_REQUIRED = "customerActionRequired"
    APPROVAL_REQUIRED = "approvalRequired"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timedOut"


class FulfillmentStatus(StrEnum):
    """The status of a fulfillment, the part of an order that one warehouse ships."""

    PENDING = "pending"
    UNAVAILABLE = "unavailable"
    PROCESSING = "processing"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


class PaymentStatus(StrEnum):
    """The status of a fulfillment's payment."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILED = "failed"
    REFUNDED = "refunded"


class ShipmentStatus(StrEnum):
    """The status of a fulfillment's shipment."""

    PENDING = "pending"
    BOOKED = "booked"
    DISPATCHED = "dispatched"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class Reason(StrEnum):
    """Why an order or a fulfillment was not completed; a stable code for programs."""

    CUSTOMER_CANCELLED = "customerCancelled"
    CUSTOMER_TIMED_OUT = "customerTimedOut"
    NOT_AVAILABLE = "notAvailable"
    APPROVAL_REJECTED = "approvalRejected"
    APPROVAL_EXPIRED = "approvalExpired"
    PAYMENT_DECLINED = "paymentDeclined"
    BILLING_UNAVAILABLE = "billingUnavailable"
    SHIPPING_UNAVAILABLE = "shippingUnavailable"


class IllegalMoveError(Exception):
    """The state machine has no such transition; nothing was changed."""

    def __init__(self, before: StrEnum, after: StrEnum) -> None:
        super().__init__(f"{before.value} cannot become {after.value}")


def _table(moves: Mapping[K, Collection[K]]) -> Mapping[K, frozenset[K]]:
    return MappingProxyType({before: frozenset(after) for before, after in moves.items()})


_O, _F, _P, _S = OrderStatus, FulfillmentStatus, PaymentStatus, ShipmentStatus

# One table for each state machine: members of different enumerations are equal ("pending") and would clash as keys.
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
"""The legal transitions of each state machine; a status without transitions is final."""


def is_final(status: StrEnum) -> bool:
    """Return whether a status has no transitions."""
    return not MOVES[type(status)][status]


def check_move(before: K, after: K) -> None:
    """Raise IllegalMoveError unless the transition is legal."""
    if after not in MOVES[type(before)][before]:
        raise IllegalMoveError(before, after)
