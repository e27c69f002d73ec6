"""The courier's page: parcels to pick up, and parcels in transit."""

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from services.common.identity import acting_for
from services.web.clients.backend import Backend
from services.web.clients.parallel_calls import CachedReader, ParallelCalls
from services.web.pages import form_succeeded, render_page
from services.web.views.parcels import Parcel, Report, all_booked, order_id_of, parcels_of, read_selection, summary

_PAGE_SIZE = 25


def courier_routes(backend: Backend, calls: ParallelCalls) -> Blueprint:
    """Return the courier's pages."""
    routes = Blueprint("courier", __name__, url_prefix="/courier")
    reader = CachedReader(calls, lambda order_id: _parcels(backend, order_id), cacheable=all_booked)

    @routes.get("/")
    def shipments() -> str:
        lines, cursor = backend.pending_shipments(_PAGE_SIZE, request.args.get("cursor"))
        by_order = reader.read([order_id_of(line["id"]) for line in lines])
        parcels = {shipment_id: parcel for parcels in by_order.values() for shipment_id, parcel in parcels.items()}
        in_transit = [line for line in lines if line["status"] == "dispatched"]
        to_pick_up = [line for line in lines if line["status"] != "dispatched"]
        return render_page(
            "courier/shipments.html", to_pick_up=to_pick_up, in_transit=in_transit, parcels=parcels, cursor=cursor
        )

    @routes.post("/<any(dispatched, delivered):report>")
    def report(report: Report) -> Response:
        selected = read_selection(request.form.get("only"), request.form.getlist("shipment"))
        outcomes = calls.map(lambda shipment_id: backend.report(shipment_id, report), selected)
        problems = {shipment_id: outcome.problem for shipment_id, outcome in zip(selected, outcomes, strict=True)}
        location = url_for("courier.shipments", cursor=request.form.get("cursor") or None)
        return form_succeeded(location, summary(report, problems))

    return routes


def _parcels(backend: Backend, order_id: str) -> dict[str, Parcel]:
    # A courier may not read orders; the console may, and shows only the parcels.
    with acting_for(None):
        return parcels_of(backend.order(order_id))
