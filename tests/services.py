"""Every service that has an API, as a WSGI application behind fakes."""

from collections.abc import Callable
from typing import Any

from flask import Flask

from services.billing import app as billing
from services.common.auth.access import create_authenticator
from services.common.config import ServiceConfig
from services.fraud import app as fraud
from services.inventory import app as inventory
from services.notifications import app as notifications
from services.shipping import app as shipping
from tests.fakes import FakeClock, FakeDocuments
from tests.unit.orderprocessing.world import World

_SIMPLE: dict[str, tuple[type[ServiceConfig], Callable[..., Flask]]] = {
    "billing": (billing.BillingConfig, billing.create_app),
    "fraud": (ServiceConfig, fraud.create_app),
    "inventory": (ServiceConfig, inventory.create_app),
    "notifications": (notifications.NotificationsConfig, notifications.create_app),
    "shipping": (ServiceConfig, shipping.create_app),
}
_SHORT_STREAMS = {"stream_poll": 0.01, "stream_lifetime": 0.02}


def names() -> list[str]:
    """Return the names of the services with an API, without the console, whose routes are pages."""
    return ["orderprocessing", *_SIMPLE]


def make_app(name: str) -> Flask:
    """Return a service's application."""
    return make(name)[0]


def make(name: str, **settings: Any) -> tuple[Flask, FakeDocuments, Callable[[], None]]:
    """Return a service's application, its documents, and a function that runs its workflows."""
    if name == "orderprocessing":
        world = World(**settings)
        return world.app, world.documents, lambda: world.run(1)
    kind, create_app = _SIMPLE[name]
    config, documents = kind(app_port=1, **_SHORT_STREAMS, **settings), FakeDocuments()
    app = create_app(config, documents, FakeClock(), authenticator=create_authenticator(config, None))
    if name == "inventory":
        # The first request seeds the catalogue.
        app.test_client().get("/inventory")
    return app, documents, lambda: None
