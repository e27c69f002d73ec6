"""Errors as RFC 9457 problem details, in one format for all services."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Flask, Response, json
from werkzeug.exceptions import HTTPException

from services.common.errors import (
    DomainError,
    InvalidError,
    NotAllowedError,
    NotFoundError,
    OverloadedError,
    UnavailableError,
    invalid_fields,
)
from services.common.logs import get_logger

log = get_logger(__name__)

PROBLEM_JSON = "application/problem+json"
_TITLES = {
    400: "Malformed request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    409: "Conflict with the current state",
    412: "Precondition failed",
    413: "Request too large",
    415: "Unsupported media type",
    422: "Invalid field",
    429: "Too much at once",
    431: "Headers too large",
    501: "Not implemented",
    503: "Temporarily unavailable",
}


class Problem(Exception):
    """An error response.

    `code` is stable and for programs, `detail` is for people; `errors` lists every wrong field as
    `{"field", "detail"}`; `challenge` is the WWW-Authenticate header.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[dict[str, str]] = (),
        retry_after: int | None = None,
        challenge: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.errors, self.retry_after, self.challenge = list(errors), retry_after, challenge

    def body(self) -> dict[str, Any]:
        """Return the problem-details object."""
        body: dict[str, Any] = {
            "type": f"urn:oms:problem:{self.code}",
            "title": _TITLES.get(self.status, "Request failed"),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        return body | {"errors": self.errors} if self.errors else body


_STATUSES: Mapping[type[DomainError], int] = {
    InvalidError: 422,
    NotAllowedError: 409,
    NotFoundError: 404,
    OverloadedError: 429,
    UnavailableError: 503,
}


def problem_of(error: DomainError) -> Problem:
    """Return the problem for a domain error."""
    fields = error.fields if isinstance(error, InvalidError) else []
    retry_after = error.retry_after if isinstance(error, OverloadedError) else None
    return Problem(
        next(status for kind, status in _STATUSES.items() if isinstance(error, kind)),
        error.code,
        error.detail,
        [{"field": field, "detail": detail} for field, detail in fields],
        1 if isinstance(error, UnavailableError) else retry_after,
    )


def invalid(*errors: tuple[str, str]) -> Problem:
    """Return the 422 that lists every wrong field, given as (field, detail)."""
    return problem_of(invalid_fields(errors))


def not_found(what: str, key: str) -> Problem:
    """Return the 404 for a resource that does not exist."""
    return problem_of(NotFoundError(what, key))


def conflict(code: str, detail: str) -> Problem:
    """Return the 409 for a transition that the current state does not allow."""
    return Problem(409, code, detail)


def unavailable(detail: str) -> Problem:
    """Return the 503 for something that is temporarily unavailable."""
    return Problem(503, "unavailable", detail, retry_after=1)


def too_many_requests(code: str, detail: str, retry_after: int = 1) -> Problem:
    """Return the 429; the client may repeat the request in `retry_after` seconds."""
    return Problem(429, code, detail, retry_after=retry_after)


def respond(problem: Problem) -> Response:
    """Return the HTTP response for a problem."""
    response = Response(json.dumps(problem.body()), problem.status, content_type=PROBLEM_JSON)
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    if problem.challenge is not None:
        response.headers["WWW-Authenticate"] = problem.challenge
    return response


def register(app: Flask, present: Callable[[Problem], Response] = respond) -> None:
    """Register error handlers; `present` makes the response to a problem; no stack trace leaves the service."""
    app.register_error_handler(Problem, present)

    @app.errorhandler(DomainError)
    def _domain(error: DomainError) -> Response:
        return present(problem_of(error))

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        status = error.code or 500
        response = present(Problem(status, f"http{status}", error.description or error.name))
        allowed = error.get_headers() if status == 405 else []
        response.headers.extend([(name, value) for name, value in allowed if name == "Allow"])
        return response

    @app.after_request
    def _precondition(response: Response) -> Response:
        # For a failed precondition on a file, Werkzeug returns a 412 without raising.
        if response.status_code != 412 or response.mimetype == PROBLEM_JSON:
            return response
        response.close()
        return respond(Problem(412, "http412", "the file does not match the precondition of the request"))

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        log.error("unexpected error", exc_info=error)
        return present(Problem(500, "internal", "an unexpected error; see the service's log"))
