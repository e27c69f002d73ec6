"""What every page has in common: its layout, its errors, its headers, and who may send its forms."""

from collections.abc import Collection
from importlib import resources
from typing import NamedTuple
from urllib.parse import quote, unquote

from flask import (
    Blueprint,
    Flask,
    Response,
    after_this_request,
    current_app,
    jsonify,
    redirect,
    render_template,
    request,
    send_file,
)
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from services.common.dapr.sidecar import RefusedError, TransientError
from services.common.hosts import host_name
from services.common.logs import get_logger
from services.common.web import problems
from services.common.web.base_app import content_policy
from services.common.web.origins import is_cross_site_fetch, is_safe_or_same_site
from services.common.web.problems import Problem, not_found
from services.web.clients.problems import problem_of
from services.web.views import filters, form_errors

log = get_logger(__name__)

_VENDOR = {
    "bootstrap.css": ("flask_bootstrap", "static/bootstrap5/css/bootstrap.min.css"),
    "chart.js": ("chartkick", "django/static/chartkick/Chart.bundle.js"),
}
"""Files of installed packages, by the name under which the pages ask for them."""


_SAID = "said"
STAYS_ON = "Oms-Stays-On"
"""The header by which a form's script names the page, path and query, that it would rather update than load anew."""
_LONGEST_SAID = 300
"""Characters: each may take nine bytes of a cookie, which has four kilobytes."""

_HEADERS = {
    # Bootstrap's style sheet carries its icons as data.
    "Content-Security-Policy": content_policy("img-src 'self' data:"),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


_ONLY_TLS = {"Strict-Transport-Security": "max-age=31536000"}


class Role(NamedTuple):
    """Somebody who has pages here; the first of them is `endpoint`."""

    endpoint: str
    name: str
    purpose: str


ROLES = (
    Role("customer.shop", "Customer", "Choose an order or fill a cart, and follow it to your door."),
    Role("approver.approvals", "Approver", "Decide about large orders."),
    Role("courier.shipments", "Courier", "Pick parcels up and deliver them."),
    Role("store.store", "Store manager", "Stock, prices, limits, maintenance and the ledger."),
    Role(
        "support.find", "Support", "Find an order and see everything about it: steps, workflow history, events, trace."
    ),
    Role("operator.desk", "Operator", "Send a stream of orders, watch the figures, and break things."),
)


def register(app: Flask, trusted_hosts: Collection[str]) -> Blueprint:
    """Give the application its layout and error pages; return the blueprint that the routes of people go to.

    Only who calls it by the name of a trusted host, in lower case and without a port, is answered.
    """
    shared = Blueprint("shared", __name__, template_folder="templates", static_folder="static")
    filters.register(app)
    _register_errors(app)

    @shared.get("/vendor/<name>")
    def vendor(name: str) -> Response:
        if name not in _VENDOR:
            raise not_found("file", name)
        package, path = _VENDOR[name]
        with resources.as_file(resources.files(package) / path) as file:
            answer = send_file(file, conditional=True, max_age=24 * 3600)
        answer.cache_control.public = True
        return answer

    @app.before_request
    def _refuse_strangers() -> None:
        if host_name(request.host) not in trusted_hosts:
            raise Problem(400, "untrustedHost", "the console does not go by this name; TRUSTED_HOSTS says its names")
        if not is_safe_or_same_site() or is_cross_site_fetch():
            raise Problem(403, "crossOrigin", "pages of other sites cannot ask for that")

    @app.after_request
    def _protect(answer: Response) -> Response:
        for name, value in (_HEADERS | (_ONLY_TLS if app.config["SESSION_COOKIE_SECURE"] else {})).items():
            answer.headers.setdefault(name, value)
        return answer

    return shared


def show(template: str, **values: object) -> str:
    """Return a page, or its live part alone where that is what the page itself asks for."""
    if wants_part():
        return render_template(template, layout="part.html", **values)
    said = unquote(request.cookies.get(_SAID, ""))
    if said:
        after_this_request(_said)
    return render_template(template, layout="base.html", said=said, **values)


def wants_part() -> bool:
    """Tell whether the page asks for its live part only."""
    return "part" in request.args


def form_fields() -> dict[str, str]:
    """Return what a person filled in; the token that guards the form is no part of it."""
    return {name: text for name, text in request.form.items() if name != "csrf_token"}


def wants_page() -> bool:
    """Tell whether a person asks for a whole page, not a script."""
    return request.method == "GET" and not wants_part() and not _wants_json() and request.blueprint != "live"


def done(location: str, message: str) -> AnyResponse:
    """Answer a form that succeeded: the page behind it goes on to `location`, where the message is shown once."""
    # A script that stays on its page shows the message itself.
    stays = _wants_json() and request.headers.get(STAYS_ON) == location
    body = {"location": location, "message": message}
    answer = jsonify(body | {"stays": True} if stays else body) if _wants_json() else redirect(location, 303)
    if not stays:
        secure = current_app.config["SESSION_COOKIE_SECURE"]
        text = quote(message[:_LONGEST_SAID], safe="")
        answer.set_cookie(_SAID, text, max_age=60, httponly=True, samesite="Lax", secure=secure)
    return answer


def _said(answer: Response) -> Response:
    answer.delete_cookie(_SAID)
    return answer


def _register_errors(app: Flask) -> None:
    """Show every error as what it is, a problem or a page, with the status that the other service gave it."""

    @app.errorhandler(RefusedError)
    def _refused(error: RefusedError) -> AnyResponse:
        return _answer(problem_of(error))

    @app.errorhandler(TransientError)
    def _transient(error: TransientError) -> AnyResponse:
        log.warning("a page could not be made", extra={"cause": str(error)})
        return _answer(problem_of(error))

    @app.errorhandler(Problem)
    def _problem(error: Problem) -> AnyResponse:
        return _answer(error)

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> AnyResponse:
        log.error("unexpected error", exc_info=error)
        return _answer(Problem(500, "internal", "an unexpected error; the log of the console has the details"))

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> AnyResponse:
        answer = _answer(Problem(error.code or 500, f"http{error.code}", error.description or error.name))
        answer.headers.extend([(name, value) for name, value in error.get_headers() if name == "Allow"])
        return answer


def _answer(found: Problem) -> AnyResponse:
    problem = form_errors.readable(found)
    # Without a readable host name there are no addresses to put into a page.
    if _wants_json() or wants_part() or request_ctx.url_adapter is None:
        return problems.respond(problem)
    answer = Response(render_template("problem.html", layout="base.html", problem=problem), problem.status)
    for name in ("Retry-After", "WWW-Authenticate"):
        if name in (told := problems.respond(problem).headers):
            answer.headers[name] = told[name]
    return answer


def _wants_json() -> bool:
    return request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"
