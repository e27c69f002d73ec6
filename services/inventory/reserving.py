"""The rules of reservations: how an order's goods become fulfillments, and how each of those ends."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from services.common.errors import DomainError, NotAllowedError, NotFoundError, invalid_fields
from services.common.ids import fulfillment_id, split_fulfillment_id
from services.inventory.models import (
    Ending,
    Fulfillment,
    FulfillmentStatus,
    Item,
    Line,
    LineRequest,
    Reservation,
    ReservationAnswer,
)


class _Move(NamedTuple):
    going: FulfillmentStatus
    gone: FulfillmentStatus


_MOVES = {
    Ending.RELEASE: _Move(FulfillmentStatus.RELEASING, FulfillmentStatus.RELEASED),
    Ending.COMMIT: _Move(FulfillmentStatus.COMMITTING, FulfillmentStatus.COMMITTED),
}
"""Every legal move: `reserved` to the first, the first to the second."""

_SHOWN = {move.going: move.gone for move in _MOVES.values()}
"""What is decided is shown as done: it can no longer turn out otherwise."""


def merged(lines: Sequence[LineRequest]) -> list[Line]:
    """Return the lines with those of the same SKU added up, in the order of their first mention."""
    totals: dict[str, int] = {}
    for line in lines:
        totals[line.sku] = totals.get(line.sku, 0) + line.quantity
    return [Line(sku=sku, quantity=quantity) for sku, quantity in totals.items()]


def planned(order_id: str, lines: Sequence[Line], known: Collection[str]) -> Reservation:
    """Return the reservation under way: what of which known SKUs is to be taken."""
    return Reservation(order_id=order_id, lines=list(lines), known=[one.sku for one in lines if one.sku in known])


def taking_order(reservation: Reservation, items: Sequence[Item]) -> list[Line]:
    """Return the lines to take, least choice of location first, so that the others can join them."""
    found = {item.sku: item for item in items}

    def choices(line: Line) -> int:
        return sum(stock.available >= line.quantity for stock in found[line.sku].stock.values())

    return sorted((line for line in reservation.lines if line.sku in found), key=choices)


def joined(now: Reservation, plan: Reservation) -> Reservation:
    """Return the order's existing reservation for a request that asks for `plan`.

    After a release that came first, everything is unavailable. Raises the 409 `reservationDiffers` for other
    lines.
    """
    if not now.lines:
        return taken(plan, {})
    if sorted(_pairs(now.lines)) != sorted(_pairs(plan.lines)):
        raise NotAllowedError("reservationDiffers", f"order {now.order_id} has a reservation of other goods")
    return now


def taken(reservation: Reservation, took: Mapping[str, Mapping[str, int]]) -> Reservation:
    """Return the reservation with its fulfillments, given how many of each SKU were taken from each location.

    They are numbered from 1 in the order of their locations' names; what is missing comes last.
    """
    if reservation.fulfillments is not None:
        return reservation
    groups: dict[str, list[Line]] = {}
    missing: list[Line] = []
    for line in reservation.lines:
        counts = took.get(line.sku, {})
        for location, count in counts.items():
            groups.setdefault(location, []).append(Line(sku=line.sku, quantity=count))
        if (rest := line.quantity - sum(counts.values())) > 0:
            missing.append(Line(sku=line.sku, quantity=rest))
    parts = [(location, groups[location], FulfillmentStatus.RESERVED) for location in sorted(groups)]
    fulfillments = [
        Fulfillment(id=fulfillment_id(reservation.order_id, number), location=location, items=items, status=status)
        for number, (location, items, status) in enumerate(
            [*parts, *([(None, missing, FulfillmentStatus.UNAVAILABLE)] if missing else [])], start=1
        )
    ]
    return reservation.model_copy(update={"fulfillments": fulfillments})


def ending(reservation: Reservation | None, order_id: str, end: Ending, named: Sequence[str] | None) -> Reservation:
    """Decide that the named fulfillments end so, with None all that are still reserved.

    Releasing an unknown order leaves a tombstone; one whose goods are still being taken is returned as it is.
    Raises the 404 for committing an unknown order, the 409s `alreadyCommitted`, `alreadyReleased` and
    `notReserved`, and the 422 for ids that the order does not have; then none of them ends.
    """
    if reservation is None and end is Ending.RELEASE:
        return Reservation(order_id=order_id, fulfillments=[])
    if reservation is None:
        raise NotFoundError("reservation of order", order_id)
    if reservation.fulfillments is None:
        return reservation
    chosen = _chosen(reservation, end, named)
    going = {one.id for one in chosen if one.status is FulfillmentStatus.RESERVED}
    return _with_status(reservation, going, _MOVES[end].going)


def unfinished(reservation: Reservation, end: Ending) -> list[Fulfillment]:
    """Return the fulfillments that are decided to end so and may not have yet."""
    return [one for one in reservation.fulfillments or [] if one.status is _MOVES[end].going]


def finished(reservation: Reservation, end: Ending, ids: Collection[str]) -> Reservation:
    """Record that the stock of these fulfillments has been changed."""
    going = {one.id for one in unfinished(reservation, end) if one.id in ids}
    return _with_status(reservation, going, _MOVES[end].gone)


def reserve_mark(order_id: str) -> str:
    """Return the mark that taking an order's goods leaves on an item."""
    return f"reserve/{order_id}"


def end_mark(fulfillment: str) -> str:
    """Return the mark that ending a fulfillment leaves on an item."""
    return f"end/{fulfillment}"


def marked_order(mark: str) -> str | None:
    """Return the id of the order whose reservation left the mark, or None."""
    kind, _, key = mark.partition("/")
    if kind == "reserve":
        return key
    return split_fulfillment_id(key)[0] if kind == "end" else None


def done_marks(reservation: Reservation) -> set[str]:
    """Return the marks that the reservation's own record makes superfluous."""
    if reservation.fulfillments is None:
        return set()
    gone = {move.gone for move in _MOVES.values()}
    return {reserve_mark(reservation.order_id)} | {
        end_mark(one.id) for one in reservation.fulfillments if one.status in gone
    }


def show_reservation(reservation: Reservation) -> ReservationAnswer:
    """Return the reservation as it is shown."""
    shown = reservation.fulfillments and [
        one.model_copy(update={"status": _SHOWN.get(one.status, one.status)}) for one in reservation.fulfillments
    ]
    return ReservationAnswer(order_id=reservation.order_id, fulfillments=shown)


def _pairs(lines: Sequence[Line]) -> list[tuple[str, int]]:
    return [(line.sku, line.quantity) for line in lines]


def _chosen(reservation: Reservation, end: Ending, named: Sequence[str] | None) -> list[Fulfillment]:
    """Return the fulfillments that a request means. Raises what `ending` raises."""
    fulfillments = reservation.fulfillments or []
    if not reservation.lines:  # released before it was asked for
        if end is Ending.COMMIT:
            raise NotAllowedError("alreadyReleased", f"order {reservation.order_id} has already been released")
        return []
    known = {one.id for one in fulfillments}
    unknown = [id_ for id_ in named or [] if id_ not in known]
    if unknown:
        raise invalid_fields([("fulfillments", f"{id_} is no fulfillment of the order") for id_ in unknown])
    chosen = [one for one in fulfillments if named is None or one.id in named]
    problems = [problem for one in chosen if (problem := _refusal(one, end))]
    # Committing "all" of an order that was released entirely must not look like a success.
    if problems and (named is not None or (end is Ending.COMMIT and not _any_left(fulfillments))):
        raise problems[0]
    return chosen


def _refusal(one: Fulfillment, end: Ending) -> DomainError | None:
    status = _SHOWN.get(one.status, one.status)
    if end is Ending.RELEASE and status is FulfillmentStatus.COMMITTED:
        return NotAllowedError("alreadyCommitted", f"{one.id} is already with the courier")
    if end is Ending.COMMIT and status is FulfillmentStatus.RELEASED:
        return NotAllowedError("alreadyReleased", f"{one.id} has already been released")
    if end is Ending.COMMIT and status is FulfillmentStatus.UNAVAILABLE:
        return NotAllowedError("notReserved", f"{one.id} has no goods")
    return None


def _any_left(fulfillments: Sequence[Fulfillment]) -> bool:
    kept = {FulfillmentStatus.RESERVED, FulfillmentStatus.COMMITTING, FulfillmentStatus.COMMITTED}
    return any(one.status in kept for one in fulfillments)


def _with_status(reservation: Reservation, ids: Collection[str], status: FulfillmentStatus) -> Reservation:
    """Return the reservation with these fulfillments in the status, the very same if there are none."""
    if not ids:
        return reservation
    fulfillments = [
        one.model_copy(update={"status": status}) if one.id in ids else one for one in reservation.fulfillments or []
    ]
    return reservation.model_copy(update={"fulfillments": fulfillments})
