"""The fraud service: a spending limit, a tally for each customer, a maintenance switch.

It simulates a fraud check: the limit is its only rule.
"""

from collections.abc import Callable

from flask import Flask

from services.common.auth.access import NO_AUTHENTICATION, Authenticator
from services.common.clock import Clock, utc_now
from services.common.config import ServiceConfig
from services.common.service import create_service_app, run_service
from services.common.storage.documents import Documents
from services.fraud.routes import API, CheckRoutes, SettingsRoutes
from services.fraud.store import FraudStore


def create_app(
    config: ServiceConfig,
    documents: Documents,
    clock: Clock = utc_now,
    ready: Callable[[], bool] = lambda: True,
    authenticator: Authenticator = NO_AUTHENTICATION,
) -> Flask:
    """Return the application."""
    store = FraudStore(documents, clock)
    return create_service_app(API, ready, authenticator, SettingsRoutes(store), CheckRoutes(store))


def main() -> None:
    """Run the service, configured by the environment."""
    run_service(ServiceConfig, create_app, app_port=3005, dapr_http_port=3505)


if __name__ == "__main__":
    main()
