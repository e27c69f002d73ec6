"""Every service that has an API, as a WSGI application behind fakes."""

from collections.abc import Callable
from typing import Any

from flask import Flask

from services.billing import app as billing
from services.fraud import app as fraud
from services.inventory import app as inventory
from services.notifications import app as notifications
from services.shipping import app as shipping
from tests.fakes import FakeClock, FakeDocuments
from tests.unit.orderprocessing.world import World

_SIMPLE: dict[str, Callable[..., Flask]] = {
    "billing": lambda documents, more: billing.create_app(
        billing.BillingConfig(app_port=1, **more), documents, FakeClock()
    ),
    "fraud": lambda documents, more: fraud.create_app(fraud.FraudConfig(app_port=1, **more), documents, FakeClock()),
    "inventory": lambda documents, more: inventory.create_app(
        inventory.InventoryConfig(app_port=1, **more), documents, FakeClock()
    ),
    "notifications": lambda documents, more: notifications.create_app(
        notifications.NotificationsConfig(app_port=1, stream_poll=0.01, stream_lifetime=0.02, **more),
        documents,
        FakeClock(),
    ),
    "shipping": lambda documents, more: shipping.create_app(
        shipping.ShippingConfig(app_port=1, **more), documents, FakeClock()
    ),
}


def names() -> list[str]:
    """Return the names of the services; the console's addresses are pages for people, not an API."""
    return ["orderprocessing", *_SIMPLE]


def make_app(name: str) -> Flask:
    """Return a service's application."""
    return make(name)[0]


def make(name: str, **settings: Any) -> tuple[Flask, FakeDocuments, Callable[[], None]]:
    """Return a service's application, what it writes to, and what lets its workflows go on."""
    if name == "orderprocessing":
        world = World(**settings)
        return world.app, world.documents, lambda: world.run(1)
    documents = FakeDocuments()
    app = _SIMPLE[name](documents, settings)
    if name == "inventory":
        # It lays its first stock when it is first asked for something, whatever that is.
        app.test_client().get("/inventory")
    return app, documents, lambda: None
