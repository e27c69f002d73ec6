"""Serves a service's OpenAPI document, and the page to read and try it; nothing of it comes from another host."""

from collections.abc import Callable
from importlib import resources

from flask import Blueprint, Flask, Response, json, render_template, send_file

from services.common.json_models import Json
from services.common.web.base_app import content_policy
from services.common.web.problems import not_found

_FILES = frozenset({"swagger-ui.css", "swagger-ui-bundle.js"})
"""What the page needs of Swagger UI, which an installed package brings."""

_HEADERS = {
    # Swagger UI carries its icons as data and sets styles on its elements.
    "Content-Security-Policy": content_policy("img-src 'self' data:", "style-src 'self' 'unsafe-inline'"),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def register(app: Flask, title: str, document: Callable[[], Json]) -> None:
    """Add `/openapi.json` and the page `/docs` to the application.

    `document` is called for each request of the document.
    """
    pages = Blueprint(
        "documentation", __name__, template_folder="templates", static_folder="static", static_url_path="/docs/static"
    )

    @pages.get("/openapi.json")
    def show_document() -> Response:
        return Response(json.dumps(document()), content_type="application/json")

    @pages.get("/docs")
    def show_page() -> str:
        return render_template("docs.html", title=title)

    @pages.get("/docs/vendor/<name>")
    def vendor(name: str) -> Response:
        if name not in _FILES:
            raise not_found("file", name)
        with resources.as_file(resources.files("flask_swagger_ui") / "dist" / name) as file:
            return send_file(file, conditional=True, max_age=24 * 3600)

    @pages.after_request
    def _protect(answer: Response) -> Response:
        answer.headers.extend(_HEADERS)
        return answer

    app.register_blueprint(pages)
