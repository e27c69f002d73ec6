"""What a courier sees and reports; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from services.common.ids import is_fulfillment_id, split_fulfillment_id
from services.common.json_models import Json
from services.common.web.problems import Problem, invalid

Report = Literal["dispatched", "delivered"]

_MOST = 100


@dataclass(frozen=True)
class Parcel:
    """Goods to carry: where they lie and the booking's reference, once there is one."""

    location: str
    goods: list[Json]
    reference: str | None


def parcels_of(order: Json) -> dict[str, Parcel]:
    """Return an order's parcels by shipment id."""
    return {
        part["id"]: Parcel(part["location"], part["items"], part["shipment"]["courierReference"])
        for part in order["fulfillments"] or []
        if part["shipment"]
    }


def all_booked(parcels: Mapping[str, Parcel]) -> bool:
    """Tell whether nothing about these parcels will change any more."""
    return all(parcel.reference for parcel in parcels.values())


def order_of(shipment_id: str) -> str:
    """Return the id of a shipment's order."""
    return split_fulfillment_id(shipment_id)[0]


def read_selection(only: str | None, ticked: Sequence[str]) -> list[str]:
    """Return the shipments to report on: the one whose button it was, else those that are ticked. Raises the 422."""
    chosen = list(dict.fromkeys([only] if only else ticked))
    if not chosen:
        raise invalid(("shipment", "select at least one parcel"))
    if len(chosen) > _MOST:
        raise invalid(("shipment", f"select at most {_MOST} parcels at once"))
    wrong = [one for one in chosen if not is_fulfillment_id(one)]
    if wrong:
        raise invalid(*((f"shipment {one}", "is not a parcel's id") for one in wrong))
    return chosen


def summary(report: Report, became: Mapping[str, Problem | None]) -> str:
    """Return what became of the reports, in a sentence; if none was taken, raise why as one problem."""
    failed = {shipment_id: problem for shipment_id, problem in became.items() if problem}
    taken = len(became) - len(failed)
    if not taken:
        raise _together(failed)
    if not failed:
        return f"1 parcel {report}." if taken == 1 else f"{taken} parcels {report}."
    return f"{taken} of {len(became)} parcels {report}. {_reasons(failed, statuses=True)}"


def _together(failed: Mapping[str, Problem]) -> Problem:
    first = next(iter(failed.values()))
    errors = [{"field": shipment_id, "detail": problem.detail} for shipment_id, problem in failed.items()]
    # The status of the whole is said with it.
    several = len({problem.status for problem in failed.values()}) > 1
    return Problem(first.status, first.code, _reasons(failed, several), errors, first.retry_after)


def _reasons(failed: Mapping[str, Problem], statuses: bool) -> str:
    """Return each reason once, behind all the shipments that it is about."""
    parcels: dict[str, list[str]] = {}
    for shipment_id, problem in failed.items():
        reason = f"{problem.detail} ({problem.status})" if statuses else problem.detail
        parcels.setdefault(reason, []).append(shipment_id)
    return "; ".join(f"{', '.join(ids)}: {reason}" for reason, ids in parcels.items())
