"""The console: what everybody who touches an order sees and does, in the browser; it keeps nothing."""

import threading
from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, Flask, redirect, url_for
from pydantic import Field
from werkzeug.wrappers import Response

from services.common.auth.api_keys import ApiKeys
from services.common.config import Money, ServiceConfig
from services.common.dapr.sidecar import Sidecar
from services.common.json_models import Json
from services.common.server.http_server import on_shutdown, serve
from services.common.service import configure, exit_with_configuration_error, make_api_keys
from services.common.web.base_app import create_base_app
from services.load_generator.runs import Operations
from services.web import pages
from services.web.auth.session_guard import SessionGuard
from services.web.auth.session_secret import SecretError
from services.web.clients.backend import Backend, Caller
from services.web.clients.event_feed import FeedFollower, Source
from services.web.clients.parallel_calls import SideBySide
from services.web.clients.sidecar_streams import SidecarStreams
from services.web.live.hub import ORDER_EVENT, Hub
from services.web.routes.approver import approver_routes
from services.web.routes.courier import courier_routes
from services.web.routes.customer import customer_routes
from services.web.routes.live import live_routes
from services.web.routes.login import login_routes
from services.web.routes.operator import operator_routes
from services.web.routes.store import store_routes
from services.web.routes.support import support_routes
from services.web.views.shopping import DEAR


class WebConfig(ServiceConfig):
    """Each open page holds a server thread, so of the threads at most five in eight may be streams.

    `approval_threshold` is the one that orderprocessing has. `behind_tls` says that a proxy in front speaks TLS, so
    that cookies go over TLS only; `session_secret_file` is made at the first start, beside the file of keys where
    nothing else is said.
    """

    server_threads: int = Field(default=64, ge=2, le=512)
    stream_limit: int = Field(default=40, ge=1, le=512)
    zipkin_url: str = "http://localhost:9411"
    approval_threshold: Money = DEAR
    behind_tls: bool = False
    session_secret_file: Path | None = None

    def gate(self, keys: ApiKeys | None) -> SessionGuard:
        """Return what asks people who they are, by these keys."""
        beside = self.api_keys_file.with_suffix(".session") if self.api_keys_file else None
        return SessionGuard(keys, self.session_secret_file or beside)

    def streams(self) -> int:
        """Return how many pages may be followed live at once."""
        return min(self.stream_limit, self.server_threads * 5 // 8)


def create_app(
    config: WebConfig,
    neighbours: Caller,
    hub: Hub,
    ready: Callable[[], bool] = lambda: True,
    operations: Operations | None = None,
    keys: ApiKeys | None = None,
) -> Flask:
    """Return the application; without `operations` it has some of its own, which hear of nothing.

    With `keys` people log in. Raises SecretError.
    """
    app, gate = create_base_app("web", ready), config.gate(keys)
    backend, calls = Backend(neighbours), SideBySide()
    operations = operations or Operations(backend, hub, dear=config.approval_threshold)
    app.register_blueprint(pages.register(app, config.trusted_hosts))
    gate.protect(app, behind_tls=config.behind_tls)
    for blueprint in (_home(), login_routes(gate), operator_routes(backend, calls, operations)):
        app.register_blueprint(blueprint)
    app.register_blueprint(live_routes(hub, backend))
    app.register_blueprint(customer_routes(backend, calls, config.approval_threshold))
    for staff in (approver_routes, courier_routes, store_routes):
        app.register_blueprint(staff(backend, calls))
    app.register_blueprint(support_routes(backend, calls, config.zipkin_url))
    on_shutdown(app, hub.end)
    on_shutdown(app, operations.end)
    return app


def follow_feed(
    source: Source, hub: Hub, stopping: threading.Event, heard: Callable[[Json], None] = lambda _event: None
) -> None:
    """Hand what happens to orders to every open page, and to `heard`, in the background."""

    def tell(event: Json) -> None:
        hub.tell(ORDER_EVENT, event)
        heard(event)

    follower = FeedFollower(source, tell, hub.connected)
    threading.Thread(target=follower.run, args=(stopping,), name="feed", daemon=True).start()


def _home() -> Blueprint:
    routes = Blueprint("home", __name__)

    @routes.get("/")
    def home() -> str:
        return pages.show("home.html")

    @routes.get("/favicon.ico")
    def icon() -> Response:
        return redirect(url_for("shared.static", filename="icon.svg"), 301)

    return routes


def main() -> None:
    """Run the service until it is told to stop."""
    config = configure(WebConfig, app_port=3006, dapr_http_port=3506)
    sidecar, hub, stopping = Sidecar(config), Hub(config.streams()), threading.Event()
    operations = Operations(Backend(sidecar), hub, dear=config.approval_threshold)
    keys = make_api_keys(config, sidecar)

    def ready() -> bool:
        return sidecar.healthy() and (keys is None or keys.available())

    try:
        app = create_app(config, sidecar, hub, ready, operations, keys)
    except SecretError as error:
        exit_with_configuration_error(f"SESSION_SECRET_FILE: {error}")
    operations.start()
    follow_feed(SidecarStreams(config), hub, stopping, operations.heard)
    serve(app, config, lambda _seconds: stopping.set())


if __name__ == "__main__":
    main()
