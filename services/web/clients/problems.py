"""Problems for users, made of calls to other services that failed."""

from collections.abc import Mapping

from services.common.dapr.sidecar import RefusedError, TransientError
from services.common.web.problems import Problem, unavailable

_SERVICES: Mapping[str | None, str] = {
    "orderprocessing": "The order service",
    "inventory": "The inventory service",
    "billing": "The billing service",
    "shipping": "The shipping service",
    "fraud": "The fraud check",
    "notifications": "The event feed",
}
_UNKNOWN_SERVICE = "A service that this page needs"


def problem_of(error: RefusedError | TransientError) -> Problem:
    """Return the problem to show for a call that failed."""
    if isinstance(error, RefusedError):
        return _passed_on(error.status, error.body, error.service)
    # While a service is down, the sidecar answers in its place, with a 500 that has no detail for users.
    if "detail" in error.body:
        problem = _passed_on(error.status or 503, error.body, "the service")
    else:
        problem = unavailable(f"{_SERVICES.get(error.service, _UNKNOWN_SERVICE)} is not responding. Try again.")
    problem.retry_after = 1
    return problem


def _passed_on(status: int, body: dict[str, object], service: str) -> Problem:
    listed = body.get("errors")
    errors = [error for error in listed if isinstance(error, dict)] if isinstance(listed, list) else []
    detail = str(body.get("detail") or f"{service} answered with HTTP status {status}")
    return Problem(status, str(body.get("code") or f"http{status}"), detail, errors)
