"""The console: web pages for customers, approvers, couriers, store managers, support and operators."""

import threading
from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, Flask, redirect, url_for
from pydantic import Field
from werkzeug.wrappers import Response

from services.common.auth.api_keys import ApiKeys
from services.common.config import Money, ServiceConfig, exit_with_configuration_error
from services.common.dapr.sidecar import Sidecar
from services.common.json_models import Json
from services.common.server.http_server import on_shutdown, serve
from services.common.service import configure, make_api_keys
from services.common.web.base_app import create_base_app
from services.load_generator.stock_groups import APPROVAL_THRESHOLD
from services.web import pages
from services.web.auth.session_guard import SessionGuard
from services.web.auth.session_secret import SecretError
from services.web.clients.backend import Backend, Caller
from services.web.clients.event_feed import FeedFollower, Source
from services.web.clients.parallel_calls import ParallelCalls
from services.web.clients.sidecar_streams import SidecarStreams
from services.web.live.generator import LoadGenerator
from services.web.live.hub import ORDER_EVENT, Hub
from services.web.routes.approver import approver_routes
from services.web.routes.courier import courier_routes
from services.web.routes.customer import customer_routes
from services.web.routes.live import live_routes
from services.web.routes.login import login_routes
from services.web.routes.operator import operator_routes
from services.web.routes.store import store_routes
from services.web.routes.support import support_routes


class WebConfig(ServiceConfig):
    """The settings of the console.

    Each open page holds a server thread, so at most five eighths of the threads may be streams. `approval_threshold`
    equals that of orderprocessing. `behind_tls` means that a proxy in front terminates TLS, so that cookies are sent
    over TLS only. `session_secret_file` is created at the first start; by default it lies beside the file of API keys.
    """

    server_threads: int = Field(default=64, ge=2, le=512)
    stream_limit: int = Field(default=40, ge=1, le=512)
    zipkin_url: str = "http://localhost:9411"
    approval_threshold: Money = APPROVAL_THRESHOLD
    behind_tls: bool = False
    session_secret_file: Path | None = None

    def session_guard(self, keys: ApiKeys | None) -> SessionGuard:
        """Return the guard that authenticates users with these keys."""
        default_file = self.api_keys_file.with_suffix(".session") if self.api_keys_file else None
        return SessionGuard(keys, self.session_secret_file or default_file)

    def streams(self) -> int:
        """Return how many event streams may be open at once."""
        return min(self.stream_limit, self.server_threads * 5 // 8)


def create_app(
    config: WebConfig,
    caller: Caller,
    hub: Hub,
    ready: Callable[[], bool] = lambda: True,
    load_generator: LoadGenerator | None = None,
    keys: ApiKeys | None = None,
) -> Flask:
    """Return the application; without `load_generator` it creates one that receives no events.

    With `keys`, users must log in. Raises SecretError.
    """
    app, guard = create_base_app("web", ready, pages.respond), config.session_guard(keys)
    backend, calls = Backend(caller), ParallelCalls()
    load_generator = load_generator or LoadGenerator(backend, hub, approval_threshold=config.approval_threshold)
    app.register_blueprint(pages.register(app, config.trusted_hosts))
    guard.protect(app, behind_tls=config.behind_tls)
    for blueprint in (_home(), login_routes(guard), operator_routes(backend, calls, load_generator)):
        app.register_blueprint(blueprint)
    app.register_blueprint(live_routes(hub, backend))
    app.register_blueprint(customer_routes(backend, calls, config.approval_threshold))
    for staff_routes in (approver_routes, courier_routes, store_routes):
        app.register_blueprint(staff_routes(backend, calls))
    app.register_blueprint(support_routes(backend, calls, config.zipkin_url))
    on_shutdown(app, hub.shut_down)
    on_shutdown(app, load_generator.shut_down)
    return app


def follow_feed(
    source: Source, hub: Hub, stopping: threading.Event, on_event: Callable[[Json], None] = lambda _event: None
) -> None:
    """Publish the events of the feed to every open page and pass them to `on_event`, in the background."""

    def publish(event: Json) -> None:
        hub.publish(ORDER_EVENT, event)
        on_event(event)

    follower = FeedFollower(source, publish, hub.set_connected)
    threading.Thread(target=follower.run, args=(stopping,), name="feed", daemon=True).start()


def _home() -> Blueprint:
    routes = Blueprint("home", __name__)

    @routes.get("/")
    def home() -> str:
        return pages.render_page("home.html")

    @routes.get("/favicon.ico")
    def icon() -> Response:
        return redirect(url_for("shared.static", filename="icon.svg"), 301)

    return routes


def main() -> None:
    """Run the service until it is stopped."""
    config = configure(WebConfig, app_port=3006, dapr_http_port=3506)
    sidecar, hub, stopping = Sidecar(config), Hub(config.streams()), threading.Event()
    load_generator = LoadGenerator(Backend(sidecar), hub, approval_threshold=config.approval_threshold)
    keys = make_api_keys(config, sidecar)

    def ready() -> bool:
        return sidecar.healthy() and (keys is None or keys.available())

    try:
        app = create_app(config, sidecar, hub, ready, load_generator, keys)
    except SecretError as error:
        exit_with_configuration_error(f"SESSION_SECRET_FILE: {error}")
    load_generator.start()
    follow_feed(SidecarStreams(config), hub, stopping, load_generator.on_event)
    serve(app, config, lambda _seconds: stopping.set())


if __name__ == "__main__":
    main()
