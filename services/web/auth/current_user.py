"""What a person is called: the name of his key where people log in; elsewhere what he says, and any name will do."""

from urllib.parse import quote, unquote

from flask import current_app, request
from werkzeug.wrappers import Response

from services.common.identity import Role
from services.common.web.problems import Problem
from services.web.auth.session_guard import me

_A_YEAR = 365 * 24 * 3600


def called(role: Role) -> str:
    """Return the name that the person goes by in a role, empty if there is none yet."""
    return known_as(role) or unquote(request.cookies.get(role, ""))


def known_as(role: Role) -> str | None:
    """Return the name that a person who has logged in cannot change in a role; None where he may choose one.

    An operator may look at the shop as any customer, but decides in his own name.
    """
    somebody = me()
    if somebody is None or (somebody.role is not role and role is Role.CUSTOMER):
        return None
    return somebody.name


def remember(answer: Response, role: Role, name: str) -> Response:
    """Return the answer, with which the browser keeps the name. Raises the 403 for who has logged in by another."""
    if known_as(role) is not None:
        raise Problem(403, "forbidden", "you have logged in by your name; it cannot be another here")
    secure = current_app.config["SESSION_COOKIE_SECURE"]
    answer.set_cookie(role, quote(name, safe=""), max_age=_A_YEAR, httponly=True, samesite="Lax", secure=secure)
    return answer
