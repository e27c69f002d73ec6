"""The kinds of orders in the stream: what is in them, what people do about them, and how they must end."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum, auto

from tests.chaos.calls import Answer

End = tuple[str, str | None]
"""The final status and its reason."""

COMPLETED: End = ("completed", None)
CANCELLED: End = ("cancelled", "customerCancelled")
REJECTED: End = ("cancelled", "approvalRejected")
EXPIRED: End = ("cancelled", "approvalExpired")
TIMED_OUT: End = ("timedOut", "customerTimedOut")
DECLINED: End = ("failed", "paymentDeclined")


class Courier(StrEnum):
    """How the courier reports the shipments of an order."""

    STEADY = auto()
    HASTY = auto()
    """Says delivered first, which must be refused."""
    DOUBLE = auto()
    """Says everything twice at the same moment."""
    BOTH_AT_ONCE = auto()
    """Says dispatched and delivered at the same moment."""
    RACING = auto()
    """Says dispatched at the moment when the customer cancels."""


@dataclass(frozen=True)
class Kind:
    """One kind: the goods by their role (see `shelves`), who says what, and the end when all goes as planned."""

    name: str
    weight: int
    goods: Mapping[str, int]
    customer: tuple[str, ...] = ()
    """What the customer says when asked about missing goods: amend, cancel, or nothing."""
    approver: tuple[str, ...] = ()
    """What approvers say when asked, all at the same moment: approve, reject, or nothing."""
    cancels: float = 0.0
    """Within how many seconds the customer cancels, at a random moment; 0 for never."""
    twice: bool = False
    """Whether the order is sent twice at the same moment, and again later."""
    keyed: bool = False
    """Whether the order is sent without an id, so that only its Idempotency-Key tells a repeat from a new one."""
    courier: Courier = Courier.STEADY
    planned: End = COMPLETED

    @property
    def asks(self) -> bool:
        """Tell whether something is missing, so that the customer is asked."""
        return "nowhere" in self.goods

    @property
    def dear(self) -> bool:
        """Tell whether an approval is needed."""
        return bool({"dear", "too dear"} & set(self.goods))

    @property
    def silent(self) -> bool:
        """Tell whether somebody who is asked never answers, so that the order waits for its deadline."""
        return (self.asks and not self.customer) or (self.dear and not self.approver)


_CHEAP, _PAIR, _DEAR, _MISSING = {"here": 1}, {"here": 1, "there": 2}, {"dear": 2}, {"here": 1, "nowhere": 1}
_SOME_TIME, _AT_ONCE = 6.0, 1.0

KINDS = (
    Kind("plain", 16, _CHEAP),
    Kind("two parcels", 10, _PAIR),
    Kind("split", 6, {"scattered": 5}),
    Kind("missing, amended", 5, _MISSING, customer=("amend",)),
    Kind("missing, cancelled", 4, _MISSING, customer=("cancel",)),
    Kind("missing, silence", 3, _MISSING),
    Kind("nothing there, silence", 2, {"nowhere": 2}),
    Kind("dear, approved", 5, _DEAR, approver=("approve",)),
    Kind("dear, rejected", 4, _DEAR, approver=("reject",)),
    Kind("dear, silence", 3, _DEAR),
    Kind("dear, approved and rejected at once", 5, _DEAR, approver=("approve", "reject")),
    Kind("cancelled some time", 12, _CHEAP, cancels=_SOME_TIME),
    Kind("cancelled at once", 20, _CHEAP, cancels=_AT_ONCE),
    Kind("dear, cancelled at once", 3, _DEAR, approver=("approve",), cancels=_AT_ONCE),
    Kind("two parcels, cancelled some time", 6, _PAIR, cancels=_SOME_TIME),
    Kind("dear, cancelled some time", 4, _DEAR, approver=("approve",), cancels=_SOME_TIME),
    Kind("cancelled as it is dispatched", 8, _CHEAP, courier=Courier.RACING),
    Kind("two parcels, cancelled as one is dispatched", 4, _PAIR, courier=Courier.RACING),
    Kind("delivered before dispatched", 4, _CHEAP, courier=Courier.HASTY),
    Kind("reported twice", 4, _CHEAP, courier=Courier.DOUBLE),
    Kind("dispatched and delivered at once", 4, _CHEAP, courier=Courier.BOTH_AT_ONCE),
    Kind("sent twice", 6, _PAIR, twice=True),
    Kind("sent twice with a key", 6, _PAIR, twice=True, keyed=True),
    Kind("above the card limit", 3, {"too dear": 1}, approver=("approve",), planned=DECLINED),
    Kind("half above the card limit", 3, {"too dear": 1, "there": 1}, approver=("approve",)),
)


def allowed_ends(kind: Kind, said: Mapping[str, Answer]) -> Collection[End]:
    """Return the ends that an order may have, by what people were answered to what they said.

    A decision answered 202 stands. One that was refused for certain does not show. One that was answered only after
    tries without an answer, and then refused, may have been carried out or not.
    """
    accepted = {what for what, answer in said.items() if answer.status == 202}
    maybe = {what for what, answer in said.items() if answer.status == 409 and not answer.refused}
    if "cancel" in accepted:
        return {CANCELLED}
    ends = set(_without_cancelling(kind, accepted, maybe))
    return ends | ({CANCELLED} if "cancel" in maybe else set())


def _without_cancelling(kind: Kind, accepted: set[str], maybe: set[str]) -> set[End]:
    if kind.asks and "amend" not in accepted:
        return {TIMED_OUT} | ({kind.planned} if "amend" in maybe else set())
    if not kind.dear or "approve" in accepted:
        return {kind.planned}
    if "reject" in accepted:
        return {REJECTED}
    unsure = {"approve": kind.planned, "reject": REJECTED}
    return {EXPIRED, *(end for what, end in unsure.items() if what in maybe)}


def quarrels(said: Mapping[str, Answer]) -> list[str]:
    """Return sentences about decisions that exclude each other and were both accepted."""
    accepted = {what for what, answer in said.items() if answer.status == 202}
    dispatched = any(what.startswith("dispatched") for what in accepted)
    found = []
    if {"approve", "reject"} <= accepted:
        found.append("approve and reject were both accepted")
    if "cancel" in accepted and dispatched:
        found.append("a cancellation and a dispatch were both accepted")
    return found
