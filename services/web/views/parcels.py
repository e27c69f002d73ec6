"""The parcels that a courier sees and reports on. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from services.common.ids import is_fulfillment_id, split_fulfillment_id
from services.common.json_models import Json
from services.common.web.problems import Problem, invalid

Report = Literal["dispatched", "delivered"]

_MAX_SELECTED = 100


@dataclass(frozen=True)
class Parcel:
    """The contents of a parcel, its warehouse, and the reference of the booking if there is one."""

    location: str
    goods: list[Json]
    reference: str | None


def parcels_of(order: Json) -> dict[str, Parcel]:
    """Return an order's parcels by shipment id."""
    return {
        fulfillment["id"]: Parcel(
            fulfillment["location"], fulfillment["items"], fulfillment["shipment"]["courierReference"]
        )
        for fulfillment in order["fulfillments"] or []
        if fulfillment["shipment"]
    }


def all_booked(parcels: Mapping[str, Parcel]) -> bool:
    """Return whether all parcels are booked, after which they no longer change."""
    return all(parcel.reference for parcel in parcels.values())


def order_id_of(shipment_id: str) -> str:
    """Return the id of a shipment's order."""
    return split_fulfillment_id(shipment_id)[0]


def read_selection(only: str | None, selected: Sequence[str]) -> list[str]:
    """Return the shipment whose own button was pressed, otherwise the selected ones. Raises the problem 422."""
    shipments = list(dict.fromkeys([only] if only else selected))
    if not shipments:
        raise invalid(("shipment", "select at least one parcel"))
    if len(shipments) > _MAX_SELECTED:
        raise invalid(("shipment", f"select at most {_MAX_SELECTED} parcels"))
    wrong = [shipment for shipment in shipments if not is_fulfillment_id(shipment)]
    if wrong:
        raise invalid(*((f"shipment {shipment}", "is not the id of a parcel") for shipment in wrong))
    return shipments


def summary(report: Report, problems: Mapping[str, Problem | None]) -> str:
    """Summarize the results of reports in a sentence; if all failed, raise them as one problem."""
    failed = {shipment_id: problem for shipment_id, problem in problems.items() if problem}
    accepted = len(problems) - len(failed)
    if not accepted:
        raise _combined(failed)
    if not failed:
        return f"1 parcel {report}." if accepted == 1 else f"{accepted} parcels {report}."
    return f"{accepted} of {len(problems)} parcels {report}. {_reasons(failed, statuses=True)}"


def _combined(failed: Mapping[str, Problem]) -> Problem:
    first = next(iter(failed.values()))
    errors = [{"field": shipment_id, "detail": problem.detail} for shipment_id, problem in failed.items()]
    # A status that all problems share is shown with the combined problem.
    different = len({problem.status for problem in failed.values()}) > 1
    return Problem(first.status, first.code, _reasons(failed, different), errors, first.retry_after)


def _reasons(failed: Mapping[str, Problem], statuses: bool) -> str:
    """Return each reason once, after the ids of its shipments."""
    by_reason: dict[str, list[str]] = {}
    for shipment_id, problem in failed.items():
        reason = f"{problem.detail} ({problem.status})" if statuses else problem.detail
        by_reason.setdefault(reason, []).append(shipment_id)
    return "; ".join(f"{', '.join(ids)}: {reason}" for reason, ids in by_reason.items())
