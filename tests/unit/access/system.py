"""Every service's application with the same authenticator, in this process."""

import random
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr

from services.billing import app as billing
from services.common.auth.access import Authenticator, create_authenticator
from services.common.auth.api_keys import ApiKeys, KeyFile, add_key
from services.common.config import ServiceConfig
from services.common.faults import wiring
from services.common.faults.injector import FaultInjector
from services.common.identity import Role
from services.fraud import app as fraud
from services.inventory import app as inventory
from services.notifications import app as notifications
from services.orderprocessing.adapters.order_repository import OrderRepository
from services.orderprocessing.api.app import create_app
from services.orderprocessing.composition import create_service
from services.shipping import app as shipping
from tests.driver import Driver
from tests.fakes import FakeClock, FakeDocuments, FakeSidecar
from tests.points import Points

TOKEN = "the token of the sidecar"


def make_keys(path: Path) -> dict[Role, str]:
    """Write a file with a key for each role, named after it, and return the keys."""
    return {role: add_key(path, f"some-{role}", role)[0] for role in Role}


def make_apps(keys: Path | ApiKeys | None = None, token: str | None = TOKEN) -> dict[str, Flask]:
    """Return the applications of all services but the console, by app id; `keys` may be the path of a file."""
    secret = SecretStr(token) if token else None
    settings: dict[str, Any] = {"app_port": 1, "app_api_token": secret, "dapr_api_token": secret}
    documents = FakeDocuments()
    authenticator = create_authenticator(ServiceConfig(**settings), KeyFile(keys) if isinstance(keys, Path) else keys)
    apps = {
        "inventory": inventory.create_app(
            inventory.InventoryConfig(**settings), documents, authenticator=authenticator
        ),
        "billing": billing.create_app(billing.BillingConfig(**settings), documents, authenticator=authenticator),
        "fraud": fraud.create_app(fraud.FraudConfig(**settings), documents, authenticator=authenticator),
        "shipping": shipping.create_app(shipping.ShippingConfig(**settings), documents, authenticator=authenticator),
        "notifications": notifications.create_app(
            notifications.NotificationsConfig(**settings), documents, authenticator=authenticator
        ),
        "orderprocessing": _orderprocessing(authenticator),
    }
    for app in apps.values():
        wiring.register(app, FaultInjector(documents, random.Random(7)), die=lambda: None)
    return apps


def _orderprocessing(authenticator: Authenticator) -> Flask:
    clock = FakeClock()
    orders, engine, sidecar = OrderRepository(FakeDocuments()), Driver(clock, Points()), FakeSidecar()
    sidecar.answers["inventory"] = lambda *_call: {"items": [{"sku": "milk", "unitPrice": 400}]}
    service = create_service(orders, sidecar, engine)
    return create_app(orders, service, engine, clock, authenticator=authenticator)


def bearer(key: str) -> dict[str, str]:
    """Return the Authorization header with an API key."""
    return {"Authorization": f"Bearer {key}"}


def through_sidecar(app: str | None, token: str = TOKEN, **person: str) -> dict[str, str]:
    """Return the headers of a sidecar for a call of an app, or for a call of its own."""
    named = {f"oms-{name}": value for name, value in person.items()}
    return {"dapr-api-token": token} | ({"dapr-caller-app-id": app} if app else {}) | named


def ask(client: FlaskClient, method: str, path: str, headers: dict[str, str], body: Any = None) -> int:
    """Send a request and return its status."""
    answer = client.open(path, method=method, headers=headers, json=body)
    answer.close()
    return answer.status_code
