"""What is wrong with a form, in words for who filled it in; pure."""

import re

from services.common.web.problems import Problem, invalid

_WORDS = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"Field required|String should have at least 1 character|must not be blank", "must not be empty"),
        (r"String should have at most (\d+) characters", r"must have at most \1 characters"),
        (r"Input should be greater than or equal to (\S+)", r"must be \1 or more"),
        (r"Input should be less than or equal to (\S+)", r"must be \1 or less"),
        (r"Input should be a (?:valid|finite) (?:number|integer).*", "must be a number"),
        (r"Input should be '.*", "is none of the choices"),
        (r"Extra inputs are not permitted", "is not known here"),
    )
)


def readable(problem: Problem) -> Problem:
    """Return the problem with its errors in words; each field keeps its name, by which the form knows its label."""
    if problem.code != "invalidField" or not problem.errors:
        return problem
    errors = [(str(one.get("field")), _plain(str(one.get("detail")))) for one in problem.errors]
    told = invalid(*errors)
    return Problem(problem.status, problem.code, told.detail, told.errors, problem.retry_after)


def _plain(detail: str) -> str:
    for pattern, words in _WORDS:
        if pattern.fullmatch(detail):
            return pattern.sub(words, detail)
    return detail
