"""What is new, as server-sent events."""

from flask import Blueprint, Response, request

from services.common.channel import client_disconnected
from services.common.origins import asked_from_here
from services.common.problems import Problem
from services.web.access import may, me
from services.web.backend import Backend
from services.web.hub import Hub


def live_routes(hub: Hub, backend: Backend) -> Blueprint:
    """Return the stream that every page follows: `?order=` for one order only, `?figures` with the figures.

    Who has logged in but is no operator hears that something happened, not what, and gets no figures.
    """
    routes = Blueprint("live", __name__)

    @routes.get("/live")
    def live() -> Response:
        # There are only so many places, and pages of other sites must not take them.
        if not asked_from_here():
            raise Problem(403, "crossOrigin", "other sites cannot follow what happens here")
        order_id, sees_all = request.args.get("order"), may("operator")
        if order_id and not sees_all:
            backend.order(order_id)
        # A browser that reconnects keeps the address, so its header is the newer of the two.
        last_id = request.headers.get("Last-Event-ID") or request.args.get("after")
        gone, somebody = client_disconnected(request.environ), me()
        figures, who = sees_all and "figures" in request.args, somebody.name if somebody else None
        stream = hub.open(last_id, order_id, figures, gone, hints=not sees_all, who=who)
        answer = Response(iter(stream), content_type="text/event-stream; charset=utf-8")
        answer.call_on_close(stream.close)
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Accel-Buffering"] = "no"
        return answer

    return routes
