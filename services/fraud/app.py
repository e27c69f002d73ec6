"""The fraud service: a spending limit, a tally for each customer, a maintenance switch.

It simulates a fraud check: the limit is its only rule.
"""

from collections.abc import Callable

from flask import Flask

from services.common.auth.access import NO_AUTHENTICATION, Authenticator, guard
from services.common.clock import Clock, utc_now
from services.common.config import ServiceConfig
from services.common.service import run_service
from services.common.storage.documents import Documents
from services.common.web.base_app import create_base_app
from services.fraud.routes import API, CheckRoutes, SettingsRoutes
from services.fraud.store import FraudStore


class FraudConfig(ServiceConfig):
    """Fraud has no settings of its own in the environment."""


def create_app(
    config: FraudConfig,
    documents: Documents,
    clock: Clock = utc_now,
    ready: Callable[[], bool] = lambda: True,
    authenticator: Authenticator = NO_AUTHENTICATION,
) -> Flask:
    """Return the application."""
    app = create_base_app("fraud", ready)
    guard(app, API.rules, authenticator)
    store = FraudStore(documents, clock)
    API.register(app, SettingsRoutes(store), CheckRoutes(store))
    return app


def main() -> None:
    """Run the service, configured by the environment."""
    run_service(FraudConfig, create_app, app_port=3005, dapr_http_port=3505)


if __name__ == "__main__":
    main()
