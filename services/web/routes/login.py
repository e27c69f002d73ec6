"""Logging in with an API key, and out; where there are no keys there is nothing to log in to."""

from flask import Blueprint, redirect, request, session, url_for
from werkzeug.wrappers import Response

from services.common.web.problems import Problem, not_found
from services.web.auth.session_guard import SessionGuard, home_of
from services.web.pages import done, show


def login_routes(gate: SessionGuard) -> Blueprint:
    """Return the page that asks for a key."""
    routes = Blueprint("login", __name__)

    @routes.before_request
    def _only_with_keys() -> None:
        if gate.keys is None:
            raise not_found("page", request.path)

    @routes.get("/login")
    def ask() -> str:
        return show("login.html")

    @routes.post("/login")
    def log_in() -> Response:
        person = gate.log_in(request.form.get("key", "").strip())
        if person is None:
            raise Problem(401, "notAuthenticated", "this key is not known", challenge='Session realm="oms"')
        return done(url_for(home_of(person)), f"You are logged in as {person.name}, {person.role}.")

    @routes.post("/logout")
    def log_out() -> Response:
        session.clear()
        return redirect(url_for("login.ask"), 303)

    return routes
