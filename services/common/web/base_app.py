"""What every service's Flask application has: health, errors, request parsing, tracing."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

from flask import Flask, Response, jsonify, request
from pydantic import ValidationError

from services.common import logs, tracing
from services.common.dapr.sidecar import TransientError
from services.common.encryption.sealing import UnreadableError
from services.common.json_models import Request, reason
from services.common.web import problems
from services.common.web.origins import only_reads_or_from_here
from services.common.web.problems import Problem, invalid, unavailable

MAX_BODY = 256 * 1024
_JSON = re.compile(r"application/([\w.-]+\+)?json", re.IGNORECASE)
_UNDECLARED_JSON = frozenset({"", "text/plain"})
"""Content types with which clients send JSON without saying so: none, and the default of `fetch` for a string."""

T = TypeVar("T", bound=Request)


def create_base_app(name: str, ready: Callable[[], bool]) -> Flask:
    """Return an application that answers `/healthz`, and `/readyz` by what `ready` says, and makes errors problems."""
    app = Flask(name, static_folder=None, template_folder=None)
    # An id that begins with a slash is of nothing; without this the answer would be a redirect to another id.
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    problems.register(app)
    tracing.register(app)
    log = logs.get_logger(name)

    @app.errorhandler(TransientError)
    def _transient(error: TransientError) -> Response:
        log.warning("answered 503", extra={"cause": str(error)})
        return problems.respond(unavailable("something this needs is not reachable right now"))

    @app.errorhandler(UnreadableError)
    def _unreadable(error: UnreadableError) -> Response:
        log.error("what is stored cannot be read", extra={"cause": str(error)})
        return problems.respond(
            Problem(503, "unreadable", "what is stored cannot be read: its key is not here, or it was changed")
        )

    @app.get("/healthz")
    def _alive() -> Response:
        return jsonify(status="alive")

    @app.get("/readyz")
    def _ready() -> Response:
        if ready():
            return jsonify(status="ready")
        raise unavailable("not connected to the sidecar yet, or what is stored cannot be read: the log says which")

    return app


def read_object() -> dict[str, Any]:
    """Return the request's JSON object. Raises the problems 400, 413 and 415."""
    _require_json()
    return object_from(request.get_data())


def _require_json() -> None:
    """Raise the 415 unless the content type is one of JSON, or one that may be JSON and no foreign page sent it.

    A browser sends application/json to another site only after a preflight request, but text/plain or no type without
    one. So from a page of another site the header is required, whatever else protects the endpoint.
    """
    if _JSON.fullmatch(request.mimetype):
        return
    if request.mimetype not in _UNDECLARED_JSON:
        raise _unsupported("the body must be JSON; send it with the header Content-Type: application/json")
    if not only_reads_or_from_here():
        raise _unsupported("from a page of another site JSON needs the header Content-Type: application/json")


def _unsupported(detail: str) -> Problem:
    return Problem(415, "unsupportedMediaType", detail)


def object_from(data: bytes) -> dict[str, Any]:
    """Return the JSON object that the bytes are. Raises the problem 400."""
    try:
        # Numbers with a point stay exact; NaN and Infinity are not JSON.
        # Read from bytes it might be UTF-16 too, which nobody who looks at requests on their way reckons with.
        body = json.loads(data.decode(), parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise Problem(400, "malformedJson", "the body is not JSON") from error
    if not isinstance(body, dict):
        raise Problem(400, "notAnObject", "the body is not a JSON object")
    return body


def read_body(kind: type[T]) -> T:
    """Return the request's body as `kind`. Raises the problems 400, 413, 415, and 422 with every wrong field."""
    return parse(kind, read_object())


def read_optional_object() -> dict[str, Any]:
    """Return the request's JSON object, or an empty one when there is no body. Raises like `read_object`."""
    return read_object() if request.get_data() else {}


def parse(kind: type[T], body: dict[str, Any]) -> T:
    """Turn a JSON object into `kind`. Raises the 422 that names every wrong field."""
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        found = [(".".join(str(part) for part in item["loc"]) or "body", reason(item)) for item in error.errors()]
        raise invalid(*found) from error


def content_policy(*more: str) -> str:
    """Return the Content-Security-Policy of a page: everything from here, nobody's frame; `more` is what it needs."""
    end = "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    return "; ".join(["default-src 'self'", *more, end])


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
