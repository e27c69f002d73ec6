"""The courier's page: parcels to pick up, and those under way."""

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from services.common.identity import acting_for
from services.web.clients.backend import Backend
from services.web.clients.parallel_calls import Facts, SideBySide
from services.web.pages import done, show
from services.web.views.parcels import Parcel, Report, all_booked, order_of, parcels_of, read_selection, summary

_LISTED = 25


def courier_routes(backend: Backend, calls: SideBySide) -> Blueprint:
    """Return the courier's pages."""
    routes = Blueprint("courier", __name__, url_prefix="/courier")
    orders = Facts(calls, lambda order_id: _parcels(backend, order_id), stays=all_booked)

    @routes.get("/")
    def shipments() -> str:
        lines, cursor = backend.pending_shipments(_LISTED, request.args.get("cursor"))
        known = orders.of([order_of(line["id"]) for line in lines])
        parcels = {shipment_id: parcel for parcels in known.values() for shipment_id, parcel in parcels.items()}
        under_way = [line for line in lines if line["status"] == "dispatched"]
        to_pick_up = [line for line in lines if line["status"] != "dispatched"]
        return show(
            "courier/shipments.html", to_pick_up=to_pick_up, under_way=under_way, parcels=parcels, cursor=cursor
        )

    @routes.post("/<any(dispatched, delivered):report>")
    def report(report: Report) -> Response:
        chosen = read_selection(request.form.get("only"), request.form.getlist("shipment"))
        outcomes = calls.each(lambda shipment_id: backend.report(shipment_id, report), chosen)
        said = summary(report, {one: outcome.problem for one, outcome in zip(chosen, outcomes, strict=True)})
        return done(url_for("courier.shipments", cursor=request.form.get("cursor") or None), said)

    return routes


def _parcels(backend: Backend, order_id: str) -> dict[str, Parcel]:
    # A courier may not see orders; the console may, and shows of them what is to be carried.
    with acting_for(None):
        return parcels_of(backend.order(order_id))
