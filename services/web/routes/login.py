"""Login with an API key, and logout. Without configured keys these pages do not exist."""

from flask import Blueprint, redirect, request, session, url_for
from werkzeug.wrappers import Response

from services.common.web.problems import Problem, not_found
from services.web.auth.session_guard import SessionGuard, start_page
from services.web.pages import form_succeeded, render_page


def login_routes(guard: SessionGuard) -> Blueprint:
    """Return the login page and its forms."""
    routes = Blueprint("login", __name__)

    @routes.before_request
    def _require_keys() -> None:
        if guard.keys is None:
            raise not_found("page", request.path)

    @routes.get("/login")
    def login_page() -> str:
        return render_page("login.html")

    @routes.post("/login")
    def log_in() -> Response:
        person = guard.log_in(request.form.get("key", "").strip())
        if person is None:
            raise Problem(401, "notAuthenticated", "unknown API key", challenge='Session realm="oms"')
        return form_succeeded(url_for(start_page(person)), f"You are logged in as {person.name}, {person.role}.")

    @routes.post("/logout")
    def log_out() -> Response:
        session.clear()
        return redirect(url_for("login.login_page"), 303)

    return routes
