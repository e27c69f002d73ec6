"""The operator's page: the load generator, live metrics, and fault injection."""

import re
from functools import partial

from flask import Blueprint, Response, after_this_request, current_app, jsonify, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from services.common.json_models import Json
from services.common.web.base_app import parse
from services.load_generator.run import Run
from services.load_generator.settings import StreamSettings
from services.web.clients.backend import Backend
from services.web.clients.parallel_calls import Outcome, ParallelCalls
from services.web.live.generator import LoadGenerator
from services.web.pages import form_fields, form_succeeded, render_page, wants_part
from services.web.views.chaos_board import ChaosBoard, ChaosForm

_RUN_COOKIE = "stream"
"""Holds the name of the last active run that this browser saw, because a restart of the console loses the run."""


def operator_routes(backend: Backend, calls: ParallelCalls, load_generator: LoadGenerator) -> Blueprint:
    """Return the operator's page."""
    routes = Blueprint("operator", __name__, url_prefix="/operator")
    board = ChaosBoard(backend, calls)

    @routes.get("/")
    def dashboard() -> str:
        run = load_generator.run
        if run and not load_generator.shutting_down:
            after_this_request(partial(_remember, run=run))
        return render_page(
            "operator/dashboard.html",
            run=run.summary() if run else None,
            lost_run=_lost_run(run),
            settings=run.settings if run else StreamSettings(),
            approval_threshold=load_generator.approval_threshold,
            chaos=board.current() if wants_part() else board.refresh(),
            workers=_workers(),
        )

    def _workers() -> Outcome[list[Json]]:
        """Return the workers; a live page shows those of the last poll, whose change it follows."""
        polled = load_generator.metrics.workers if wants_part() else None
        return calls.call(backend.workers) if polled is None else Outcome(value=polled)

    _register_stream(routes, load_generator)

    @routes.post("/chaos")
    def set_chaos() -> AnyResponse:
        return form_succeeded(url_for("operator.dashboard"), board.change(parse(ChaosForm, form_fields())))

    @routes.post("/kill/<service>")
    def kill(service: str) -> AnyResponse:
        board.kill(service)
        message = f"A process of {service} is being killed. Its supervisor will start a new one."
        return form_succeeded(url_for("operator.dashboard"), message)

    return routes


def _register_stream(routes: Blueprint, load_generator: LoadGenerator) -> None:
    @routes.get("/figures")
    def metrics() -> Response:
        return jsonify(load_generator.metrics.history())

    @routes.post("/stream")
    def start_stream() -> AnyResponse:
        run = load_generator.start_run(parse(StreamSettings, form_fields()))
        return _remember(form_succeeded(url_for("operator.dashboard"), f"Stream {run.name} has started."), run)

    @routes.post("/stream/stop")
    def stop_stream() -> AnyResponse:
        load_generator.stop_run()
        message = "No more orders are sent. The orders that were sent are still being processed."
        return form_succeeded(url_for("operator.dashboard"), message)

    @routes.post("/stream/end")
    def end_stream() -> AnyResponse:
        load_generator.end_run()
        message = "The stream has ended. Orders that are still open continue without simulated users."
        return form_succeeded(url_for("operator.dashboard"), message)


def _lost_run(run: Run | None) -> str | None:
    """Return the name of the run that this browser saw and that ended when the console was restarted."""
    name = request.cookies.get(_RUN_COOKIE, "")
    is_current = run is not None and run.name == name
    return name if re.fullmatch("[0-9a-f]{6}", name) and not is_current else None


def _remember(answer: AnyResponse, run: Run) -> AnyResponse:
    if run.over:
        answer.delete_cookie(_RUN_COOKIE)
    elif request.cookies.get(_RUN_COOKIE) != run.name:
        secure = current_app.config["SESSION_COOKIE_SECURE"]
        answer.set_cookie(_RUN_COOKIE, run.name, max_age=run.max_duration, httponly=True, samesite="Lax", secure=secure)
    return answer
