"""The operator's page: a stream of orders, what the system makes of it, and what breaks on demand."""

from flask import Blueprint, jsonify, url_for
from werkzeug.wrappers import Response

from services.common.web import parse
from services.web.backend import Backend
from services.web.calls import SideBySide
from services.web.pages import done, form_fields, show, wants_part
from services.web.stream.models import StreamSettings
from services.web.stream.operations import Operations
from services.web.unrest import ChaosForm, UnrestBoard


def operator_routes(backend: Backend, calls: SideBySide, operations: Operations) -> Blueprint:
    """Return the operator's page."""
    routes = Blueprint("operator", __name__, url_prefix="/operator")
    board = UnrestBoard(backend, calls)

    @routes.get("/")
    def desk() -> str:
        run = operations.run
        return show(
            "operator/desk.html",
            run=run.summary() if run else None,
            settings=run.settings if run else StreamSettings(),
            dear=operations.dear,
            unrest=board.seen() if wants_part() else board.look(),
        )

    @routes.get("/figures")
    def figures() -> Response:
        return jsonify(operations.figures.history())

    @routes.post("/stream")
    def begin() -> Response:
        run = operations.begin(parse(StreamSettings, form_fields()))
        return done(url_for("operator.desk"), f"The stream {run.name} has started.")

    @routes.post("/stream/stop")
    def stop() -> Response:
        operations.stop()
        return done(url_for("operator.desk"), "No more orders are sent; those that were sent run out.")

    @routes.post("/stream/end")
    def end() -> Response:
        operations.end_run()
        return done(url_for("operator.desk"), "The stream has ended; orders that are still open go on without it.")

    @routes.post("/chaos")
    def change() -> Response:
        return done(url_for("operator.desk"), board.change(parse(ChaosForm, form_fields())))

    @routes.post("/kill/<service>")
    def kill(service: str) -> Response:
        board.kill(service)
        return done(url_for("operator.desk"), f"A process of {service} dies now; its supervisor starts another.")

    return routes
