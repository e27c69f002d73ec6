"""The operator's page: a stream of orders, what the system makes of it, and what breaks on demand."""

import re
from functools import partial

from flask import Blueprint, Response, after_this_request, current_app, jsonify, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from services.common.web.base_app import parse
from services.load_generator.run import Run
from services.load_generator.runs import Operations
from services.load_generator.settings import StreamSettings
from services.web.clients.backend import Backend
from services.web.clients.parallel_calls import SideBySide
from services.web.pages import done, form_fields, show, wants_part
from services.web.views.chaos_board import ChaosBoard, ChaosForm

_SEEN = "stream"
"""The cookie by which a browser remembers the stream that it saw run: the console forgets it when it is restarted."""


def operator_routes(backend: Backend, calls: SideBySide, operations: Operations) -> Blueprint:
    """Return the operator's page."""
    routes = Blueprint("operator", __name__, url_prefix="/operator")
    board = ChaosBoard(backend, calls)

    @routes.get("/")
    def desk() -> str:
        run = operations.run
        if run and not operations.ending:
            after_this_request(partial(_remember, run=run))
        return show(
            "operator/desk.html",
            run=run.summary() if run else None,
            lost=_lost(run),
            settings=run.settings if run else StreamSettings(),
            dear=operations.dear,
            chaos=board.seen() if wants_part() else board.look(),
        )

    _register_stream(routes, operations)

    @routes.post("/chaos")
    def change() -> AnyResponse:
        return done(url_for("operator.desk"), board.change(parse(ChaosForm, form_fields())))

    @routes.post("/kill/<service>")
    def kill(service: str) -> AnyResponse:
        board.kill(service)
        return done(url_for("operator.desk"), f"A process of {service} dies now; its supervisor starts another.")

    return routes


def _register_stream(routes: Blueprint, operations: Operations) -> None:
    @routes.get("/figures")
    def figures() -> Response:
        return jsonify(operations.figures.history())

    @routes.post("/stream")
    def begin() -> AnyResponse:
        run = operations.begin(parse(StreamSettings, form_fields()))
        return _remember(done(url_for("operator.desk"), f"The stream {run.name} has started."), run)

    @routes.post("/stream/stop")
    def stop() -> AnyResponse:
        operations.stop()
        return done(url_for("operator.desk"), "No more orders are sent; those that were sent run out.")

    @routes.post("/stream/end")
    def end() -> AnyResponse:
        operations.end_run()
        return done(url_for("operator.desk"), "The stream has ended; orders that are still open go on without it.")


def _lost(run: Run | None) -> str | None:
    """Return the name of a stream that this browser saw run, and that ended with an earlier process of the console."""
    seen = request.cookies.get(_SEEN, "")
    known = run is not None and run.name == seen
    return seen if re.fullmatch("[0-9a-f]{6}", seen) and not known else None


def _remember(answer: AnyResponse, run: Run) -> AnyResponse:
    if run.over:
        answer.delete_cookie(_SEEN)
    elif request.cookies.get(_SEEN) != run.name:
        secure = current_app.config["SESSION_COOKIE_SECURE"]
        answer.set_cookie(_SEEN, run.name, max_age=run.longest, httponly=True, samesite="Lax", secure=secure)
    return answer
