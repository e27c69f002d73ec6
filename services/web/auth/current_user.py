"""The name of the current user: that of the API key, or without login the name that the user has chosen."""

from urllib.parse import quote, unquote

from flask import current_app, request
from werkzeug.wrappers import Response

from services.common.auth.access import person
from services.common.identity import Role
from services.common.web.problems import Problem

_A_YEAR = 365 * 24 * 3600


def user_name(role: Role) -> str:
    """Return the user's name in a role, empty if the user has not chosen one yet."""
    return fixed_name(role) or unquote(request.cookies.get(role, ""))


def fixed_name(role: Role) -> str | None:
    """Return the name that a logged-in user cannot change in a role; None where the user may choose one.

    An operator may view the shop as any customer, but makes decisions under the operator's own name.
    """
    user = person()
    if user is None or (user.role is not role and role is Role.CUSTOMER):
        return None
    return user.name


def remember_name(answer: Response, role: Role, name: str) -> Response:
    """Set the cookie that keeps the name and return the answer. Raises the problem 403 for a fixed name."""
    if fixed_name(role) is not None:
        raise Problem(403, "forbidden", "the name belongs to your API key and cannot be changed here")
    secure = current_app.config["SESSION_COOKIE_SECURE"]
    answer.set_cookie(role, quote(name, safe=""), max_age=_A_YEAR, httponly=True, samesite="Lax", secure=secure)
    return answer
