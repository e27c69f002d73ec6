"""Who a person says to be; there is no password in a demonstration."""

from urllib.parse import quote, unquote

from flask import request
from werkzeug.wrappers import Response

_A_YEAR = 365 * 24 * 3600


def called(role: str) -> str:
    """Return the name that the person goes by in a role, empty if there is none yet."""
    return unquote(request.cookies.get(role, ""))


def remember(answer: Response, role: str, name: str) -> Response:
    """Return the answer, with which the browser keeps the name."""
    answer.set_cookie(role, quote(name, safe=""), max_age=_A_YEAR, httponly=True, samesite="Lax")
    return answer
