"""The inventory service: catalogue, stock in each warehouse, reservations."""

import threading
import time
from collections.abc import Callable
from logging import DEBUG, INFO

from flask import Flask

from services.common.auth.access import NO_AUTHENTICATION, Authenticator
from services.common.clock import Clock, utc_now
from services.common.config import ServiceConfig
from services.common.dapr.sidecar import TransientError
from services.common.faults import wiring
from services.common.logs import get_logger
from services.common.server.http_server import serve
from services.common.service import configure, create_service_app, prepare
from services.common.storage.documents import Documents
from services.inventory.routes import API, ItemRoutes, ReservationRoutes
from services.inventory.store import InventoryStore

log = get_logger(__name__)

_RETRY_AFTER = 1.0


def create_app(
    config: ServiceConfig,
    documents: Documents,
    clock: Clock = utc_now,
    ready: Callable[[], bool] = lambda: True,
    authenticator: Authenticator = NO_AUTHENTICATION,
) -> Flask:
    """Return the application; the first request that needs the catalogue writes it."""
    store = InventoryStore(documents, clock)
    return create_service_app(API, ready, authenticator, ItemRoutes(store), ReservationRoutes(store))


def seed_when_up(documents: Documents, pause: Callable[[float], None] = time.sleep) -> None:
    """Write the initial catalogue once the state store responds; `pause` waits between attempts."""
    store, level = InventoryStore(documents, utc_now), INFO
    while True:
        try:
            store.seed()
        except TransientError as error:
            log.log(level, "waiting for the state store to write the catalogue", extra={"cause": str(error)})
            level = DEBUG
            pause(_RETRY_AFTER)
        else:
            return


def main() -> None:
    """Run the service, configured by the environment."""
    config = configure(ServiceConfig, app_port=3002, dapr_http_port=3502)
    context = prepare(config)
    threading.Thread(target=seed_when_up, args=(context.encrypted_documents,), name="seed", daemon=True).start()
    app = create_app(config, context.documents, ready=context.ready, authenticator=context.authenticator)
    wiring.register(app, context.fault_injector)
    serve(app, config)


if __name__ == "__main__":
    main()
