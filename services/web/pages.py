"""The layout, error pages, headers and request checks that all pages share."""

from collections.abc import Collection
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
)
from flask.globals import request_ctx
from werkzeug.wrappers import Response as AnyResponse

from services.common.dapr.sidecar import RefusedError, TransientError
from services.common.hosts import host_name
from services.common.logs import get_logger
from services.common.web import problems
from services.common.web.base_app import content_policy
from services.common.web.origins import reject_cross_site
from services.common.web.package_files import BOOTSTRAP, send_package_file
from services.common.web.problems import Problem
from services.web.clients.problems import problem_of
from services.web.views import filters, form_errors

log = get_logger(__name__)

_VENDOR = {
    "bootstrap.css": BOOTSTRAP,
    "chart.js": ("chartkick", "django/static/chartkick/Chart.bundle.js"),
    "theme.js": ("services.common.web", "static/theme.js"),
}
"""Files of packages, by the name in their URL."""

_MESSAGE_COOKIE = "said"
STAYS_ON = "Oms-Stays-On"
"""The header with which a form's script names the page, by path and query, that it can update without a reload."""
_MAX_MESSAGE_LENGTH = 300
"""Characters; each may take nine bytes of a cookie, which holds four kilobytes."""

_HEADERS = {
    # Bootstrap's style sheet embeds its icons as data URLs.
    "Content-Security-Policy": content_policy("img-src 'self' data:"),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_TLS_HEADERS = {"Strict-Transport-Security": "max-age=31536000"}


class Role(NamedTuple):
    """A role in the navigation; `endpoint` is its first page."""

    endpoint: str
    name: str
    purpose: str


ROLES = (
    Role("customer.shop", "Customer", "Order an example or fill a cart, and follow the delivery."),
    Role("approver.approvals", "Approver", "Approve or reject large orders."),
    Role("courier.shipments", "Courier", "Pick up parcels and deliver them."),
    Role(
        "store.store",
        "Store manager",
        "Manage stock, prices, limits and maintenance, and look up payments.",
    ),
    Role("support.search", "Support", "Find an order and inspect its steps, events, workflow history and trace."),
    Role("operator.dashboard", "Operator", "Generate orders, watch the metrics, and inject faults."),
)


def register(app: Flask, trusted_hosts: Collection[str]) -> Blueprint:
    """Register layout, headers and error pages with the application; return the blueprint of the static files.

    Requests for other host names than `trusted_hosts`, in lower case and without a port, are refused.
    """
    shared = Blueprint("shared", __name__, template_folder="templates", static_folder="static")
    filters.register(app)
    _register_errors(app)

    @shared.get("/vendor/<name>")
    def vendor(name: str) -> Response:
        answer = send_package_file(_VENDOR, name)
        answer.cache_control.public = True
        return answer

    @app.before_request
    def _check_host_and_origin() -> None:
        if host_name(request.host) not in trusted_hosts:
            raise Problem(400, "untrustedHost", "unknown host name; TRUSTED_HOSTS lists the allowed ones")
        reject_cross_site()

    @app.after_request
    def _add_headers(answer: Response) -> Response:
        for name, value in (_HEADERS | (_TLS_HEADERS if app.config["SESSION_COOKIE_SECURE"] else {})).items():
            answer.headers.setdefault(name, value)
        return answer

    return shared


def render_page(template: str, **values: object) -> str:
    """Return a page, or only its live part if the page itself requests that."""
    if wants_part():
        return render_template(template, layout="part.html", **values)
    message = unquote(request.cookies.get(_MESSAGE_COOKIE, ""))
    if message:
        after_this_request(_delete_message)
    return render_template(template, layout="base.html", message=message, **values)


def wants_part() -> bool:
    """Return whether the request is for the live part of a page only."""
    return "part" in request.args


def form_fields() -> dict[str, str]:
    """Return the fields of the form without its CSRF token."""
    return {name: text for name, text in request.form.items() if name != "csrf_token"}


def wants_page() -> bool:
    """Return whether the request is for a whole page, not from a script."""
    return request.method == "GET" and not wants_part() and not _wants_json() and request.blueprint != "live"


def form_succeeded(location: str, message: str) -> AnyResponse:
    """Return the answer to a form: the browser goes to `location`, which shows the message once."""
    # A script that stays on its page shows the message itself.
    stays = _wants_json() and request.headers.get(STAYS_ON) == location
    body = {"location": location, "message": message}
    answer = jsonify(body | {"stays": True} if stays else body) if _wants_json() else redirect(location, 303)
    if not stays:
        secure = current_app.config["SESSION_COOKIE_SECURE"]
        text = quote(message[:_MAX_MESSAGE_LENGTH], safe="")
        answer.set_cookie(_MESSAGE_COOKIE, text, max_age=60, httponly=True, samesite="Lax", secure=secure)
    return answer


def _delete_message(answer: Response) -> Response:
    answer.delete_cookie(_MESSAGE_COOKIE)
    return answer


def _register_errors(app: Flask) -> None:
    """Respond to calls of other services that failed."""

    @app.errorhandler(RefusedError)
    def _refused(error: RefusedError) -> Response:
        return respond(problem_of(error))

    @app.errorhandler(TransientError)
    def _transient(error: TransientError) -> Response:
        log.warning("could not render a page", extra={"cause": str(error)})
        return respond(problem_of(error))


def respond(error: Problem) -> Response:
    """Return the response to an error, as problem+json or as a page."""
    problem = form_errors.with_readable_errors(error)
    # With an invalid host name, no URLs can be built for a page.
    if _wants_json() or wants_part() or request_ctx.url_adapter is None:
        return problems.respond(problem)
    answer = Response(render_template("problem.html", layout="base.html", problem=problem), problem.status)
    for name in ("Retry-After", "WWW-Authenticate"):
        if name in (headers := problems.respond(problem).headers):
            answer.headers[name] = headers[name]
    return answer


def _wants_json() -> bool:
    return request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"
