"""The name of the current user: that of the API key, or without login the name that the user has chosen."""

from urllib.parse import quote, unquote

from flask import current_app, request, url_for
from pydantic import TypeAdapter, ValidationError
from werkzeug.wrappers import Response

from services.common.auth.access import person
from services.common.identity import Role
from services.common.json_models import Name, reason
from services.common.web.problems import Problem, invalid
from services.web.pages import form_succeeded

_A_YEAR = 365 * 24 * 3600
_NAME: TypeAdapter[str] = TypeAdapter(Name)


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


def choose_name(role: Role, endpoint: str, message: str) -> Response:
    """Set the cookie that keeps the name in the form, and show the message with the name at `endpoint`.

    The field of the form is called like the role. Raises the problems 422, and 403 for a fixed name.
    """
    try:
        name = _NAME.validate_python(request.form.get(role, "").strip())
    except ValidationError as error:
        raise invalid((role.value, reason(error.errors()[0]))) from error
    if fixed_name(role) is not None:
        raise Problem(403, "forbidden", "the name belongs to your API key and cannot be changed here")
    answer = form_succeeded(url_for(endpoint), message.format(name))
    secure = current_app.config["SESSION_COOKIE_SECURE"]
    answer.set_cookie(role, quote(name, safe=""), max_age=_A_YEAR, httponly=True, samesite="Lax", secure=secure)
    return answer
