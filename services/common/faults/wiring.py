"""Where chaos meets a service: its switch, the calls that come in, and the writes that go out."""

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
_LAST_WORDS = 0.2
"""Seconds between the answer to who wants a crash and the crash."""
_IS_LATE = "oms.chaos.late"


class FaultyDocuments:
    """Documents whose writes are done and then fail now and then, except for a person who waits for the answer."""

    def __init__(self, documents: Documents, chaos: FaultInjector) -> None:
        self._documents, self._chaos = documents, chaos

    def load(self, key: str) -> Stored | None:
        """Return the document, or None if there is none."""
        return self._documents.load(key)

    def load_many(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        """Return those of the documents that exist."""
        return self._documents.load_many(keys)

    def save(self, key: str, data: bytes, etag: str | None, ttl: int | None = None) -> None:
        """Write the document, and perhaps fail. Raises ConflictError and TransientError."""
        self._documents.save(key, data, etag, ttl)
        if (not has_request_context() or _is_call()) and self._chaos.loses_write():
            raise TransientError(f"chaos: {Fault.AFTER.value}")


def with_faults(documents: Documents, chaos: FaultInjector | None) -> Documents:
    """Return the documents as chaos has them; without chaos the same."""
    return documents if chaos is None else FaultyDocuments(documents, chaos)


def register(
    app: Flask, chaos: FaultInjector | None, *, fail_calls: bool = True, die: Callable[[], None] = die
) -> None:
    """Give the application its switch, and let calls by other services fail if `fail_calls`; without chaos nothing."""
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
        # A page of another site that the person has open can send a form here, but no JSON.
        read_object()
        log.warning("chaos: the process is to die")
        timer = threading.Timer(_LAST_WORDS, die)
        timer.daemon = True
        timer.start()
        return jsonify(status="dying"), 202

    if fail_calls:
        _fail_calls(app, chaos)


def _fail_calls(app: Flask, chaos: FaultInjector) -> None:
    @app.before_request
    def _before() -> None:
        g.blow = chaos.blow() if _is_call() and _IS_LATE not in request.environ else None
        if g.blow is Fault.LATE:
            _carry_out_later(app, chaos)
        if g.blow in {Fault.BEFORE, Fault.LATE}:
            raise _problem(g.blow)

    @app.after_request
    def _after(answer: Response) -> Response:
        blow = g.get("blow")
        if blow is not Fault.AFTER:
            return answer
        answer.close()
        return problems.respond(_problem(blow))


def _carry_out_later(app: Flask, chaos: FaultInjector) -> None:
    request.max_content_length = None
    body = request.get_data()
    environ = request.environ | {_IS_LATE: True, "wsgi.input": BytesIO(body)}

    def carry_out() -> None:
        with app.request_context(environ):
            app.full_dispatch_request().close()

    chaos.later(carry_out)


def _is_call() -> bool:
    """Tell whether another service asks, or the sidecar delivers an event; people's own requests are left alone."""
    if request.path.startswith(DELIVERIES):
        return True
    return request.path not in {_PATH, _CRASH} and calling_app() not in {None, CONSOLE}


def _problem(blow: Fault) -> Problem:
    return Problem(503, "chaos", blow.value, retry_after=1)
