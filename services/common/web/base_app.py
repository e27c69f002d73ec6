"""The base of every service's Flask application: health checks, errors, request parsing, tracing."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

from flask import Flask, Response, jsonify, request
from pydantic import ValidationError

from services.common import logs, tracing
from services.common.dapr.sidecar import TransientError
from services.common.encryption.encryptor import UnreadableError
from services.common.json_models import Request, field_errors
from services.common.web import problems
from services.common.web.origins import is_safe_or_same_site
from services.common.web.problems import Problem, invalid, unavailable

MAX_BODY = 256 * 1024
_JSON = re.compile(r"application/([\w.-]+\+)?json", re.IGNORECASE)
_UNDECLARED_JSON = frozenset({"", "text/plain"})
"""Content types under which clients send JSON without declaring it: none, and the default of `fetch` for a string."""

T = TypeVar("T", bound=Request)


def create_base_app(
    name: str, ready: Callable[[], bool], respond: Callable[[Problem], Response] = problems.respond
) -> Flask:
    """Return an application with `/healthz` and `/readyz` according to `ready`; `respond` presents its errors."""
    app = Flask(name, static_folder=None, template_folder=None)
    # An id that begins with a slash does not exist; by default Flask would redirect to another id.
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    problems.register(app, respond)
    tracing.register(app)
    log = logs.get_logger(name)

    @app.errorhandler(TransientError)
    def _transient(error: TransientError) -> Response:
        log.warning("responded with 503", extra={"cause": str(error)})
        return respond(unavailable("a required dependency is not reachable right now"))

    @app.errorhandler(UnreadableError)
    def _unreadable(error: UnreadableError) -> Response:
        log.error("stored data cannot be decrypted", extra={"cause": str(error)})
        return respond(
            Problem(503, "unreadable", "stored data cannot be decrypted: its key is missing, or it was changed")
        )

    @app.get("/healthz")
    def _alive() -> Response:
        return jsonify(status="alive")

    @app.get("/readyz")
    def _ready() -> Response:
        if ready():
            return jsonify(status="ready")
        raise unavailable("not connected to the sidecar yet, or stored data cannot be decrypted; see the log")

    return app


def read_object() -> dict[str, Any]:
    """Return the request's JSON object. Raises the problems 400, 413 and 415."""
    _require_json()
    return object_from(request.get_data())


def _require_json() -> None:
    """Raise the 415 unless the content type is JSON, or undeclared in a request that no page of another site sends.

    A browser sends application/json to another site only after a preflight request, but text/plain or no type without
    one. So requests of pages of other sites need the header, in addition to every other protection of the endpoint.
    """
    if _JSON.fullmatch(request.mimetype):
        return
    if request.mimetype not in _UNDECLARED_JSON:
        raise _unsupported("the body must be JSON; send it with the header Content-Type: application/json")
    if not is_safe_or_same_site():
        raise _unsupported("requests from pages of other sites need the header Content-Type: application/json")


def _unsupported(detail: str) -> Problem:
    return Problem(415, "unsupportedMediaType", detail)


def object_from(data: bytes) -> dict[str, Any]:
    """Parse the bytes as a JSON object. Raises the problem 400."""
    try:
        # Decimal numbers stay exact; NaN and Infinity are not JSON.
        # From bytes, json.loads would also accept UTF-16, which proxies that inspect requests do not expect.
        body = json.loads(data.decode(), parse_float=Decimal, parse_constant=_reject_constant)
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise Problem(400, "malformedJson", "the body is not JSON") from error
    if not isinstance(body, dict):
        raise Problem(400, "notAnObject", "the body is not a JSON object")
    return body


def read_body(kind: type[T]) -> T:
    """Parse the request's body as `kind`. Raises the problems 400, 413, 415, and 422 with every wrong field."""
    return parse(kind, read_object())


def read_optional_object() -> dict[str, Any]:
    """Return the request's JSON object, or an empty one without a body; raises as `read_object`."""
    return read_object() if request.get_data() else {}


def parse(kind: type[T], body: dict[str, Any]) -> T:
    """Validate a JSON object as `kind`. Raises the 422 with every wrong field."""
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise invalid(*field_errors(error, whole="body")) from error


def content_policy(*more: str) -> str:
    """Return the Content-Security-Policy of a page: own resources only, no framing, and the directives in `more`."""
    fixed = "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    return "; ".join(["default-src 'self'", *more, fixed])


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
