"""The rules of reservations: how an order is split into fulfillments, and how each of them ends."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from services.common.errors import DomainError, NotAllowedError, NotFoundError, invalid_fields
from services.common.ids import fulfillment_id, split_fulfillment_id
from services.common.json_models import GoodsLine
from services.inventory.models import (
    Ending,
    Fulfillment,
    FulfillmentStatus,
    Item,
    Line,
    Reservation,
    ReservationAnswer,
)


class _Transition(NamedTuple):
    pending: FulfillmentStatus
    done: FulfillmentStatus


_TRANSITIONS = {
    Ending.RELEASE: _Transition(FulfillmentStatus.RELEASING, FulfillmentStatus.RELEASED),
    Ending.COMMIT: _Transition(FulfillmentStatus.COMMITTING, FulfillmentStatus.COMMITTED),
}
"""Every allowed transition: from `reserved` to the pending status, and from there to the final one."""

_SHOWN = {transition.pending: transition.done for transition in _TRANSITIONS.values()}
"""The API shows a decided transition as done, because it cannot fail any more."""


def merged(lines: Sequence[GoodsLine]) -> list[Line]:
    """Return one line for each SKU with the total quantity, in the order of the first mention."""
    totals: dict[str, int] = {}
    for line in lines:
        totals[line.sku] = totals.get(line.sku, 0) + line.quantity
    return [Line(sku=sku, quantity=quantity) for sku, quantity in totals.items()]


def plan(order_id: str, lines: Sequence[Line], known: Collection[str]) -> Reservation:
    """Return a pending reservation with its lines and the SKUs that exist."""
    return Reservation(order_id=order_id, lines=list(lines), known=[line.sku for line in lines if line.sku in known])


def lines_to_reserve(reservation: Reservation, items: Sequence[Item]) -> list[Line]:
    """Return the lines to reserve, those with the fewest possible locations first, so that others can join them."""
    by_sku = {item.sku: item for item in items}

    def possible_locations(line: Line) -> int:
        return sum(stock.available >= line.quantity for stock in by_sku[line.sku].stock.values())

    return sorted((line for line in reservation.lines if line.sku in by_sku), key=possible_locations)


def check_same(existing: Reservation, requested: Reservation) -> Reservation:
    """Return the order's existing reservation for a repeated request.

    If it was released before it was requested, everything is unavailable. Raises the 409 `reservationDiffers` for other
    lines.
    """
    if not existing.lines:
        return with_fulfillments(requested, {})
    if sorted(_pairs(existing.lines)) != sorted(_pairs(requested.lines)):
        raise NotAllowedError("reservationDiffers", f"order {existing.order_id} has a reservation of other goods")
    return existing


def with_fulfillments(reservation: Reservation, reserved: Mapping[str, Mapping[str, int]]) -> Reservation:
    """Return the reservation with its fulfillments, given the reserved quantity by SKU and location.

    They are numbered from 1, sorted by location; unavailable goods come last.
    """
    if reservation.fulfillments is not None:
        return reservation
    groups: dict[str, list[Line]] = {}
    missing: list[Line] = []
    for line in reservation.lines:
        counts = reserved.get(line.sku, {})
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
    """Mark the named fulfillments for release or commit, with None all that are still reserved.

    Releasing an unknown order leaves a tombstone. A reservation without fulfillments so far is returned unchanged.
    Raises the 404 for committing an unknown order, the 409s `alreadyCommitted`, `alreadyReleased` and `notReserved`,
    and the 422 for ids that the order does not have; after an error nothing is changed.
    """
    if reservation is None and end is Ending.RELEASE:
        return Reservation(order_id=order_id, fulfillments=[])
    if reservation is None:
        raise NotFoundError("reservation of order", order_id)
    if reservation.fulfillments is None:
        return reservation
    chosen = _chosen(reservation, end, named)
    pending = {fulfillment.id for fulfillment in chosen if fulfillment.status is FulfillmentStatus.RESERVED}
    return _with_status(reservation, pending, _TRANSITIONS[end].pending)


def unfinished(reservation: Reservation, end: Ending) -> list[Fulfillment]:
    """Return the fulfillments with a pending release or commit."""
    return [
        fulfillment for fulfillment in reservation.fulfillments or [] if fulfillment.status is _TRANSITIONS[end].pending
    ]


def finished(reservation: Reservation, end: Ending, ids: Collection[str]) -> Reservation:
    """Return the reservation with the pending transition of these fulfillments completed."""
    completed = {fulfillment.id for fulfillment in unfinished(reservation, end) if fulfillment.id in ids}
    return _with_status(reservation, completed, _TRANSITIONS[end].done)


def reserve_marker(order_id: str) -> str:
    """Return the key of the marker that reserving an order's goods leaves on an item."""
    return f"reserve/{order_id}"


def end_marker(fulfillment: str) -> str:
    """Return the key of the marker that releasing or committing a fulfillment leaves on an item."""
    return f"end/{fulfillment}"


def marker_order(marker: str) -> str | None:
    """Return the id of the order whose reservation left the marker, or None."""
    kind, _, key = marker.partition("/")
    if kind == "reserve":
        return key
    return split_fulfillment_id(key)[0] if kind == "end" else None


def settled_markers(reservation: Reservation) -> set[str]:
    """Return the keys of the markers that are superfluous, because the reservation's record has the outcome."""
    if reservation.fulfillments is None:
        return set()
    done = {transition.done for transition in _TRANSITIONS.values()}
    return {reserve_marker(reservation.order_id)} | {
        end_marker(fulfillment.id) for fulfillment in reservation.fulfillments if fulfillment.status in done
    }


def show_reservation(reservation: Reservation) -> ReservationAnswer:
    """Return the API representation of the reservation."""
    shown = reservation.fulfillments and [
        fulfillment.model_copy(update={"status": _SHOWN.get(fulfillment.status, fulfillment.status)})
        for fulfillment in reservation.fulfillments
    ]
    return ReservationAnswer(order_id=reservation.order_id, fulfillments=shown)


def _pairs(lines: Sequence[Line]) -> list[tuple[str, int]]:
    return [(line.sku, line.quantity) for line in lines]


def _chosen(reservation: Reservation, end: Ending, named: Sequence[str] | None) -> list[Fulfillment]:
    """Return the fulfillments that a request applies to; raises as `ending`."""
    fulfillments = reservation.fulfillments or []
    if not reservation.lines:  # released before it was requested
        if end is Ending.COMMIT:
            raise NotAllowedError("alreadyReleased", f"order {reservation.order_id} has already been released")
        return []
    known = {fulfillment.id for fulfillment in fulfillments}
    unknown = [id_ for id_ in named or [] if id_ not in known]
    if unknown:
        raise invalid_fields([("fulfillments", f"{id_} is not a fulfillment of the order") for id_ in unknown])
    chosen = [fulfillment for fulfillment in fulfillments if named is None or fulfillment.id in named]
    errors = [error for fulfillment in chosen if (error := _check_ending(fulfillment, end))]
    # Committing all fulfillments of an order that was released entirely is an error.
    if errors and (named is not None or (end is Ending.COMMIT and not _any_left(fulfillments))):
        raise errors[0]
    return chosen


def _check_ending(fulfillment: Fulfillment, end: Ending) -> DomainError | None:
    status = _SHOWN.get(fulfillment.status, fulfillment.status)
    if end is Ending.RELEASE and status is FulfillmentStatus.COMMITTED:
        return NotAllowedError("alreadyCommitted", f"{fulfillment.id} is already with the courier")
    if end is Ending.COMMIT and status is FulfillmentStatus.RELEASED:
        return NotAllowedError("alreadyReleased", f"{fulfillment.id} has already been released")
    if end is Ending.COMMIT and status is FulfillmentStatus.UNAVAILABLE:
        return NotAllowedError("notReserved", f"{fulfillment.id} has no goods")
    return None


def _any_left(fulfillments: Sequence[Fulfillment]) -> bool:
    kept = {FulfillmentStatus.RESERVED, FulfillmentStatus.COMMITTING, FulfillmentStatus.COMMITTED}
    return any(fulfillment.status in kept for fulfillment in fulfillments)


def _with_status(reservation: Reservation, ids: Collection[str], status: FulfillmentStatus) -> Reservation:
    """Return the reservation with these fulfillments in the status, the same object without any."""
    if not ids:
        return reservation
    fulfillments = [
        fulfillment.model_copy(update={"status": status}) if fulfillment.id in ids else fulfillment
        for fulfillment in reservation.fulfillments or []
    ]
    return reservation.model_copy(update={"fulfillments": fulfillments})
