"""What is new, as server-sent events."""

from flask import Blueprint, Response, request

from services.common.server.connection import client_disconnected
from services.common.web.event_stream import reject_cross_site, stream_response
from services.web.auth.session_guard import key_removed, may, me
from services.web.clients.backend import Backend
from services.web.live.hub import Hub


def live_routes(hub: Hub, backend: Backend) -> Blueprint:
    """Return the stream that every page follows: `?order=` for one order only, `?figures` with the figures.

    Who has logged in but is no operator hears that something happened, not what, and gets no figures.
    """
    routes = Blueprint("live", __name__)

    @routes.get("/live")
    def live() -> Response:
        reject_cross_site()
        order_id, sees_all = request.args.get("order"), may("operator")
        if order_id and not sees_all:
            backend.order(order_id)
        # A browser that reconnects keeps the address, so its header is the newer of the two.
        last_id = request.headers.get("Last-Event-ID") or request.args.get("after")
        disconnected, removed, somebody = client_disconnected(request.environ), key_removed(), me()
        figures, who = sees_all and "figures" in request.args, somebody.name if somebody else None
        return stream_response(
            hub.open(last_id, order_id, figures, lambda: disconnected() or removed(), hints=not sees_all, who=who)
        )

    return routes
