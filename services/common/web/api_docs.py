"""Serves a service's OpenAPI document, the page to read and try it, and the files that pages of services share."""

from collections.abc import Callable

from flask import Blueprint, Flask, Response, json, render_template

from services.common.json_models import Json
from services.common.web.base_app import content_policy
from services.common.web.package_files import BOOTSTRAP, send_package_file

_FILES = {
    "bootstrap.css": BOOTSTRAP,
    "swagger-ui.css": ("flask_swagger_ui", "dist/swagger-ui.css"),
    "swagger-ui-bundle.js": ("flask_swagger_ui", "dist/swagger-ui-bundle.js"),
}
"""Files of installed packages, by the name in their URL."""

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
        return send_package_file(_FILES, name)

    @pages.after_request
    def _protect(answer: Response) -> Response:
        answer.headers.extend(_HEADERS)
        return answer

    app.register_blueprint(pages)
