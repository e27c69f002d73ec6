"""The billing service: invoices, the payment ledger, and the payment provider behind them."""

from collections.abc import Callable
from typing import Literal

from flask import Flask

from services.billing.provider import PaymentProvider, make_provider
from services.billing.routes import API, BillingRoutes
from services.billing.store import BillingStore
from services.common.auth.access import NO_AUTHENTICATION, Authenticator
from services.common.clock import Clock, utc_now
from services.common.config import ServiceConfig
from services.common.service import create_service_app, run_service
from services.common.storage.documents import Documents


class BillingConfig(ServiceConfig):
    """Billing's own settings."""

    payment_provider: Literal["simulated"] = "simulated"


def create_app(
    config: BillingConfig,
    documents: Documents,
    clock: Clock = utc_now,
    ready: Callable[[], bool] = lambda: True,
    provider: PaymentProvider | None = None,
    authenticator: Authenticator = NO_AUTHENTICATION,
) -> Flask:
    """Return the application; `provider` replaces the configured payment provider."""
    chosen = provider or make_provider(config.payment_provider)
    return create_service_app(API, ready, authenticator, BillingRoutes(BillingStore(documents, clock, chosen)))


def main() -> None:
    """Run the service, configured by the environment."""
    run_service(BillingConfig, create_app, app_port=3003, dapr_http_port=3503)


if __name__ == "__main__":
    main()
