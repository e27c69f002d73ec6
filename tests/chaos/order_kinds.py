"""The kinds of orders in a run: their items, the decisions of people, and their expected ends."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum, auto

from tests.chaos.retrying_calls import Answer

End = tuple[str, str | None]
"""Final status and reason."""

COMPLETED: End = ("completed", None)
CANCELLED: End = ("cancelled", "customerCancelled")
REJECTED: End = ("cancelled", "approvalRejected")
EXPIRED: End = ("cancelled", "approvalExpired")
TIMED_OUT: End = ("timedOut", "customerTimedOut")
DECLINED: End = ("failed", "paymentDeclined")


class Courier(StrEnum):
    """How the courier reports on the shipments of an order."""

    IN_ORDER = auto()
    DELIVERED_FIRST = auto()
    """Reports `delivered` first, which must be rejected."""
    TWICE = auto()
    """Sends every report twice at the same moment."""
    BOTH_AT_ONCE = auto()
    """Reports `dispatched` and `delivered` at the same moment."""
    AS_CUSTOMER_CANCELS = auto()
    """Reports `dispatched` at the moment when the customer cancels."""


@dataclass(frozen=True)
class OrderKind:
    """A kind of order: its goods by role (see `stock_levels`), the decisions, and the end without failures."""

    name: str
    weight: int
    goods: Mapping[str, int]
    customer: tuple[str, ...] = ()
    """The decision of the customer about missing items: amend, cancel, or none."""
    approver: tuple[str, ...] = ()
    """The decisions of the approvers, all at the same moment: approve, reject, or none."""
    cancels: float = 0.0
    """The customer cancels at a random time within this many seconds; 0 means never."""
    twice: bool = False
    """Whether the order is sent twice at the same moment, and again later."""
    keyed: bool = False
    """Whether the order is sent without an id, so that only its Idempotency-Key identifies a repetition."""
    courier: Courier = Courier.IN_ORDER
    planned: End = COMPLETED

    @property
    def lacks_stock(self) -> bool:
        """Return whether items are out of stock, so that the customer has to decide."""
        return "out of stock" in self.goods

    @property
    def needs_approval(self) -> bool:
        """Return whether the order needs approval."""
        return bool({"high value", "above card limit"} & set(self.goods))

    @property
    def lets_deadline_pass(self) -> bool:
        """Return whether a required decision never comes, so that the order waits for its deadline."""
        return (self.lacks_stock and not self.customer) or (self.needs_approval and not self.approver)


_ONE_WAREHOUSE, _TWO_WAREHOUSES, _HIGH_VALUE, _OUT_OF_STOCK = (
    {"warehouse A": 1},
    {"warehouse A": 1, "warehouse B": 2},
    {"high value": 2},
    {"warehouse A": 1, "out of stock": 1},
)
_SOME_TIME, _AT_ONCE = 6.0, 1.0

ORDER_KINDS = (
    OrderKind("plain", 16, _ONE_WAREHOUSE),
    OrderKind("two shipments", 10, _TWO_WAREHOUSES),
    OrderKind("split", 6, {"split": 5}),
    OrderKind("out of stock, amended", 5, _OUT_OF_STOCK, customer=("amend",)),
    OrderKind("out of stock, cancelled", 4, _OUT_OF_STOCK, customer=("cancel",)),
    OrderKind("out of stock, no decision", 3, _OUT_OF_STOCK),
    OrderKind("all out of stock, no decision", 2, {"out of stock": 2}),
    OrderKind("high value, approved", 5, _HIGH_VALUE, approver=("approve",)),
    OrderKind("high value, rejected", 4, _HIGH_VALUE, approver=("reject",)),
    OrderKind("high value, no decision", 3, _HIGH_VALUE),
    OrderKind("high value, approved and rejected at once", 5, _HIGH_VALUE, approver=("approve", "reject")),
    OrderKind("cancelled within seconds", 12, _ONE_WAREHOUSE, cancels=_SOME_TIME),
    OrderKind("cancelled at once", 20, _ONE_WAREHOUSE, cancels=_AT_ONCE),
    OrderKind("high value, cancelled at once", 3, _HIGH_VALUE, approver=("approve",), cancels=_AT_ONCE),
    OrderKind("two shipments, cancelled within seconds", 6, _TWO_WAREHOUSES, cancels=_SOME_TIME),
    OrderKind("high value, cancelled within seconds", 4, _HIGH_VALUE, approver=("approve",), cancels=_SOME_TIME),
    OrderKind("cancelled as it is dispatched", 8, _ONE_WAREHOUSE, courier=Courier.AS_CUSTOMER_CANCELS),
    OrderKind("two shipments, cancelled as one is dispatched", 4, _TWO_WAREHOUSES, courier=Courier.AS_CUSTOMER_CANCELS),
    OrderKind("delivered before dispatched", 4, _ONE_WAREHOUSE, courier=Courier.DELIVERED_FIRST),
    OrderKind("reported twice", 4, _ONE_WAREHOUSE, courier=Courier.TWICE),
    OrderKind("dispatched and delivered at once", 4, _ONE_WAREHOUSE, courier=Courier.BOTH_AT_ONCE),
    OrderKind("sent twice", 6, _TWO_WAREHOUSES, twice=True),
    OrderKind("sent twice with a key", 6, _TWO_WAREHOUSES, twice=True, keyed=True),
    OrderKind("above the card limit", 3, {"above card limit": 1}, approver=("approve",), planned=DECLINED),
    OrderKind("half above the card limit", 3, {"above card limit": 1, "warehouse B": 1}, approver=("approve",)),
)


def allowed_ends(kind: OrderKind, said: Mapping[str, Answer]) -> Collection[End]:
    """Return the ends that an order may have, by the answers to the decisions.

    A decision answered 202 is binding. One that was certainly rejected has no effect. One that was rejected after
    unanswered attempts may have been carried out or not.
    """
    accepted = {what for what, answer in said.items() if answer.status == 202}
    uncertain_decisions = {what for what, answer in said.items() if answer.status == 409 and not answer.refused}
    if "cancel" in accepted:
        return {CANCELLED}
    ends = set(_without_cancelling(kind, accepted, uncertain_decisions))
    return ends | ({CANCELLED} if "cancel" in uncertain_decisions else set())


def _without_cancelling(kind: OrderKind, accepted: set[str], uncertain_decisions: set[str]) -> set[End]:
    if kind.lacks_stock and "amend" not in accepted:
        return {TIMED_OUT} | ({kind.planned} if "amend" in uncertain_decisions else set())
    if not kind.needs_approval or "approve" in accepted:
        return {kind.planned}
    if "reject" in accepted:
        return {REJECTED}
    uncertain = {"approve": kind.planned, "reject": REJECTED}
    return {EXPIRED, *(end for what, end in uncertain.items() if what in uncertain_decisions)}


def contradictions(said: Mapping[str, Answer]) -> list[str]:
    """Return the pairs of contradictory decisions that were both accepted, as sentences."""
    accepted = {what for what, answer in said.items() if answer.status == 202}
    dispatched = any(what.startswith("dispatched") for what in accepted)
    found = []
    if {"approve", "reject"} <= accepted:
        found.append("approve and reject were both accepted")
    if "cancel" in accepted and dispatched:
        found.append("a cancellation and a dispatch were both accepted")
    return found
