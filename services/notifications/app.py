"""The notifications service: a durable, deduplicated feed of order events, with a page and a live stream."""

from collections.abc import Callable

from flask import Flask
from pydantic import Field

from services.common.auth.access import NO_AUTHENTICATION, Authenticator, guard
from services.common.clock import Clock, utc_now
from services.common.config import Seconds, ServiceConfig
from services.common.encryption.encryptor import Encryptor
from services.common.faults import wiring
from services.common.server.http_server import on_shutdown, serve
from services.common.service import configure, prepare
from services.common.storage.documents import Documents
from services.common.web.base_app import create_base_app
from services.notifications.routes import API, DeliveryRoutes, FeedRoutes, register
from services.notifications.store import NotificationsStore
from services.notifications.stream import EventStreams, StreamSettings


class NotificationsConfig(ServiceConfig):
    """The settings of notifications. An open stream holds a server thread, so at most 5/8 of them serve streams."""

    server_threads: int = Field(default=64, ge=2, le=512)
    stream_limit: int = Field(default=40, ge=1, le=512)
    stream_poll: Seconds = 1.0
    stream_keep_alive: Seconds = 15.0
    stream_lifetime: Seconds = 600.0

    def stream_settings(self) -> StreamSettings:
        """Return the settings of the live stream."""
        return StreamSettings(
            limit=min(self.stream_limit, self.server_threads * 5 // 8),
            poll=self.stream_poll,
            keep_alive=self.stream_keep_alive,
            lifetime=self.stream_lifetime,
        )


def create_app(
    config: NotificationsConfig,
    documents: Documents,
    clock: Clock = utc_now,
    ready: Callable[[], bool] = lambda: True,
    encryptor: Encryptor | None = None,
    authenticator: Authenticator = NO_AUTHENTICATION,
) -> Flask:
    """Return the service's application; `encryptor` decrypts delivered events."""
    app = create_base_app("notifications", ready)
    guard(app, API.rules, authenticator)
    streams = EventStreams(documents, config.stream_settings())
    store = NotificationsStore(documents, clock)
    register(app, DeliveryRoutes(store, streams, clock, encryptor or Encryptor()), FeedRoutes(store, streams))
    on_shutdown(app, streams.close)
    return app


def main() -> None:
    """Run the service until it is stopped."""
    config = configure(NotificationsConfig, app_port=3001, dapr_http_port=3501)
    context = prepare(config)
    app = create_app(
        config, context.documents, ready=context.ready, authenticator=context.authenticator, encryptor=context.encryptor
    )
    wiring.register(app, context.fault_injector)
    serve(app, config)


if __name__ == "__main__":
    main()
