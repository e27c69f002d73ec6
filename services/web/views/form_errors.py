"""Readable messages for the errors of a form. Pure."""

import re

from services.common.web.problems import Problem, invalid

_MESSAGES = tuple(
    (re.compile(pattern), message)
    for pattern, message in (
        (r"Field required|String should have at least 1 character|must not be blank", "must not be empty"),
        (r"String should have at most (\d+) characters", r"must have at most \1 characters"),
        (r"Input should be greater than or equal to (\S+)", r"must be \1 or more"),
        (r"Input should be less than or equal to (\S+)", r"must be \1 or less"),
        (r"Input should be a (?:valid|finite) (?:number|integer).*", "must be a number"),
        (r"Input should be '.*", "is not one of the choices"),
        (r"Extra inputs are not permitted", "is not a known field"),
    )
)


def with_readable_errors(problem: Problem) -> Problem:
    """Return the problem with readable errors; the field names stay, since the form finds its labels by them."""
    if problem.code != "invalidField" or not problem.errors:
        return problem
    errors = [(str(error.get("field")), _readable(str(error.get("detail")))) for error in problem.errors]
    readable = invalid(*errors)
    return Problem(problem.status, problem.code, readable.detail, readable.errors, problem.retry_after)


def _readable(detail: str) -> str:
    for pattern, message in _MESSAGES:
        if pattern.fullmatch(detail):
            return pattern.sub(message, detail)
    return detail
