"""The stream of server-sent events that every page follows."""

from flask import Blueprint, Response, request

from services.common.auth.access import key_removed, person
from services.common.server.connection import client_disconnected
from services.common.web.event_stream import stream_response
from services.common.web.origins import reject_cross_site_stream
from services.web.auth.session_guard import can_view
from services.web.clients.backend import Backend
from services.web.live.hub import Hub


def live_routes(hub: Hub, backend: Backend) -> Blueprint:
    """Return the stream: `?order=` selects the events of one order, `?figures` adds the metrics.

    Logged-in users who are not operators receive order events without their data, and no metrics.
    """
    routes = Blueprint("live", __name__)

    @routes.get("/live")
    def live() -> Response:
        reject_cross_site_stream()
        order_id, sees_all = request.args.get("order"), can_view("operator")
        if order_id and not sees_all:
            backend.order(order_id)
        # A browser reconnects to the same URL, so the header is newer than the parameter.
        last_id = request.headers.get("Last-Event-ID") or request.args.get("after")
        disconnected, removed, user = client_disconnected(request.environ), key_removed(), person()
        stream = hub.open(
            last_id,
            order_id,
            sees_all and "figures" in request.args,
            lambda: disconnected() or removed(),
            hints=not sees_all,
            user=user.name if user else None,
        )
        return stream_response(stream)

    return routes
