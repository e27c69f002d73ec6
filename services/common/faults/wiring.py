"""Connects the fault injector to a service: its endpoints, incoming calls, and writes to the store."""

import threading
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO

from flask import Flask, Response, g, has_request_context, jsonify, request

from services.common.auth.access import DELIVERIES, calling_app
from services.common.dapr.sidecar import TransientError
from services.common.faults.injector import ChaosSettings, Fault, FaultInjector, die
from services.common.logs import get_logger
from services.common.storage.documents import Documents, Stored
from services.common.web import problems
from services.common.web.access_rules import CONSOLE
from services.common.web.base_app import read_body, read_object
from services.common.web.problems import Problem

log = get_logger(__name__)

_PATH = "/chaos"
_CRASH = "/chaos/crash"
_CRASH_DELAY = 0.2
"""Seconds between the response to a crash request and the crash."""
_RUNS_LATE = "oms.chaos.late"


class FaultyDocuments:
    """Documents whose writes sometimes lose their response, except in requests of persons."""

    def __init__(self, documents: Documents, chaos: FaultInjector) -> None:
        self._documents, self._chaos = documents, chaos

    def load(self, key: str) -> Stored | None:
        """Return the document, or None if there is none."""
        return self._documents.load(key)

    def load_many(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        """Return those of the documents that exist."""
        return self._documents.load_many(keys)

    def save(self, key: str, data: bytes, etag: str | None, ttl: int | None = None) -> None:
        """Write the document and perhaps lose the response. Raises ConflictError and TransientError."""
        self._documents.save(key, data, etag, ttl)
        if (not has_request_context() or _is_call()) and self._chaos.loses_write():
            raise TransientError(f"fault injection: {Fault.AFTER.value}")


def with_faults(documents: Documents, chaos: FaultInjector | None) -> Documents:
    """Return the documents with injected faults; without an injector the same documents."""
    return documents if chaos is None else FaultyDocuments(documents, chaos)


def register(
    app: Flask, chaos: FaultInjector | None, *, fail_calls: bool = True, die: Callable[[], None] = die
) -> None:
    """Add the endpoints, and with `fail_calls` inject faults into calls by services; do nothing without an injector."""
    if chaos is None:
        return

    @app.get(_PATH)
    def _show() -> Response:
        return jsonify(chaos.settings.to_json())

    @app.put(_PATH)
    def _change() -> Response:
        settings = read_body(ChaosSettings)
        chaos.change(settings)
        return jsonify(settings.to_json())

    @app.post(_CRASH)
    def _crash() -> tuple[Response, int]:
        # A page of another site can send a form, but no JSON.
        read_object()
        log.warning("fault injection: a crash was requested")
        timer = threading.Timer(_CRASH_DELAY, die)
        timer.daemon = True
        timer.start()
        return jsonify(status="dying"), 202

    if fail_calls:
        _fail_calls(app, chaos)


def _fail_calls(app: Flask, chaos: FaultInjector) -> None:
    @app.before_request
    def _before() -> None:
        g.fault = chaos.next_fault() if _is_call() and _RUNS_LATE not in request.environ else None
        if g.fault is Fault.LATE:
            _execute_later(app, chaos)
        if g.fault in {Fault.BEFORE, Fault.LATE}:
            raise _problem(g.fault)

    @app.after_request
    def _after(response: Response) -> Response:
        fault = g.get("fault")
        if fault is not Fault.AFTER:
            return response
        response.close()
        return problems.respond(_problem(fault))


def _execute_later(app: Flask, chaos: FaultInjector) -> None:
    request.max_content_length = None
    body = request.get_data()
    environ = request.environ | {_RUNS_LATE: True, "wsgi.input": BytesIO(body)}

    def execute() -> None:
        with app.request_context(environ):
            app.full_dispatch_request().close()

    chaos.run_late(execute)


def _is_call() -> bool:
    """Return whether the request is a call by another service or an event delivery; requests of persons never fail."""
    if request.path.startswith(DELIVERIES):
        return True
    return request.path not in {_PATH, _CRASH} and calling_app() not in {None, CONSOLE}


def _problem(fault: Fault) -> Problem:
    return Problem(503, "chaos", fault.value, retry_after=1)
